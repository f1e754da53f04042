package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"parley"
)

// InsertJob implements [parley.Jobs].
func (t *tx) InsertJob(ctx context.Context, j parley.Job) error {
	tenant, body, err := t.jobRow(ctx, &j)
	if err != nil {
		return err
	}
	return t.run(ctx, "INSERT INTO jobs (id, tenant, kind, status, due, body, created) VALUES (?, ?, ?, ?, ?, ?, ?)",
		j.ID[:], tenant, string(j.Kind), string(j.Status), millis(j.Due()), body, j.Created.UnixMilli())
}

// ReplaceJob implements [parley.Jobs].
func (t *tx) ReplaceJob(ctx context.Context, j parley.Job) error {
	tenant, body, err := t.jobRow(ctx, &j)
	if err != nil {
		return err
	}
	return t.one(ctx, "job", "UPDATE jobs SET status = ?, due = ?, body = ? WHERE id = ? AND tenant = ?",
		string(j.Status), millis(j.Due()), body, j.ID[:], tenant)
}

// jobRow is the key of a job's tenant and the job as it is stored.
func (t *tx) jobRow(ctx context.Context, j *parley.Job) (tenant int64, body string, err error) {
	if tenant, err = t.s.tenantKey(ctx, t.db, j.Tenant); err != nil {
		return 0, "", err
	}
	raw, err := json.Marshal(j)
	if err != nil {
		return 0, "", fmt.Errorf("write job: %w", err)
	}
	return tenant, string(raw), nil
}

// Job implements [parley.Jobs].
func (t *tx) Job(ctx context.Context, tenant parley.TenantID, id parley.JobID) (parley.Job, error) {
	found, err := t.selectJobs(ctx, "WHERE tn.id = ? AND j.id = ?", tenant[:], id[:])
	if err == nil && len(found) == 0 {
		err = &parley.Error{Kind: parley.NotFound, Msg: "job not found"}
	}
	if err != nil {
		return parley.Job{}, err
	}
	return found[0], nil
}

// JobsOf implements [parley.Jobs].
func (t *tx) JobsOf(ctx context.Context, tenant parley.TenantID, kind parley.JobKind, before parley.JobID, limit int) ([]parley.Job, error) {
	where, args := "WHERE tn.id = ? AND j.kind = ?", []any{tenant[:], string(kind)}
	if !before.IsZero() {
		where += " AND (j.created, j.id) < (SELECT b.created, b.id FROM jobs AS b WHERE b.id = ? AND b.tenant = j.tenant)"
		args = append(args, before[:])
	}
	return t.selectJobs(ctx, where+" ORDER BY j.created DESC, j.id DESC LIMIT ?", append(args, limit)...)
}

// JobsDue implements [parley.Jobs].
func (t *tx) JobsDue(ctx context.Context, now time.Time, limit int) ([]parley.Job, error) {
	return t.selectJobs(ctx, "WHERE j.due <= ? ORDER BY j.due, j.id LIMIT ?", now.UnixMilli(), limit)
}

func (t *tx) selectJobs(ctx context.Context, rest string, args ...any) ([]parley.Job, error) {
	rows, err := t.db.QueryContext(ctx, "SELECT tn.id, j.body FROM jobs AS j JOIN tenants AS tn ON tn.key = j.tenant "+rest, args...)
	if err != nil {
		return nil, fmt.Errorf("read jobs: %w", err)
	}
	defer rows.Close()
	var found []parley.Job
	for rows.Next() {
		j, err := scanJob(rows)
		if err != nil {
			return nil, err
		}
		found = append(found, j)
	}
	return found, rows.Err()
}

func scanJob(rows *sql.Rows) (j parley.Job, err error) {
	var tenant, body []byte
	if err := rows.Scan(&tenant, &body); err != nil {
		return j, err
	}
	if err := json.Unmarshal(body, &j); err != nil {
		return j, fmt.Errorf("read job: %w", err)
	}
	j.Tenant = parley.TenantID(tenant)
	return j, nil
}
