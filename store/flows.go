package store

import (
	"context"
	"database/sql"
	"fmt"

	"parley"
)

// SaveFlow implements [parley.Flows].
func (t *tx) SaveFlow(ctx context.Context, v parley.FlowVersion, keep int) (number int64, err error) {
	owner, err := t.s.tenantKey(ctx, t.db, v.Tenant)
	if err != nil {
		return 0, err
	}
	err = t.db.NewRaw(`INSERT INTO flows (tenant, bot, number, source, live, author, created)
		SELECT ?, ?, coalesce(max(number), 0) + 1, ?, 0, ?, ? FROM flows WHERE tenant = ? AND bot = ? RETURNING number`,
		owner, v.Bot[:], v.Source, v.Author, v.Created.UnixMilli(), owner, v.Bot[:]).Scan(ctx, &number)
	if isUnique(err) {
		return 0, &parley.Error{Kind: parley.Conflict, Msg: "somebody else saved a flow of this bot at the same moment"}
	}
	if err != nil {
		return 0, fmt.Errorf("save flow: %w", err)
	}
	return number, t.run(ctx, "DELETE FROM flows WHERE tenant = ? AND bot = ? AND number <= ? AND live = 0", owner, v.Bot[:], number-int64(keep))
}

// flowWhere is what finds a version.
func flowWhere(number int64) string {
	switch number {
	case parley.NewestFlow:
		return "1 = 1"
	case parley.LiveFlow:
		return "live = 1"
	}
	return fmt.Sprintf("number = %d", number)
}

// FlowNumber implements [parley.Flows].
func (t *tx) FlowNumber(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, number int64) (int64, error) {
	v, err := t.flow(ctx, tenant, bot, "NULL", number)
	return v.Number, err
}

// Flow implements [parley.Flows].
func (t *tx) Flow(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, number int64) (parley.FlowVersion, error) {
	return t.flow(ctx, tenant, bot, "source", number)
}

func (t *tx) flow(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, source string, number int64) (parley.FlowVersion, error) {
	all, err := t.flows(ctx, tenant, bot, source, flowWhere(number)+" ORDER BY number DESC LIMIT 1")
	if err == nil && len(all) == 0 {
		err = &parley.Error{Kind: parley.NotFound, Msg: "flow not found"}
	}
	if err != nil {
		return parley.FlowVersion{}, err
	}
	return all[0], nil
}

// FlowVersions implements [parley.Flows].
func (t *tx) FlowVersions(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID) ([]parley.FlowVersion, error) {
	return t.flows(ctx, tenant, bot, "NULL", "1 = 1 ORDER BY number DESC")
}

func (t *tx) flows(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, source, where string) (all []parley.FlowVersion, err error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, err
	}
	err = query(ctx, t.db, "SELECT number, "+source+", live, author, created FROM flows WHERE bot = ? AND tenant = ? AND "+where, []any{bot[:], owner}, func(rows *sql.Rows) error {
		v := parley.FlowVersion{Tenant: tenant, Bot: bot}
		var live, created int64
		if err := rows.Scan(&v.Number, &v.Source, &live, &v.Author, &created); err != nil {
			return err
		}
		v.Live, v.Created = live != 0, moment(&created)
		all = append(all, v)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read flows: %w", err)
	}
	return all, nil
}

// PublishFlow implements [parley.Flows].
func (t *tx) PublishFlow(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID, number int64) error {
	number, err := t.FlowNumber(ctx, tenant, bot, number)
	if err != nil {
		return err
	}
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return err
	}
	return t.run(ctx, "UPDATE flows SET live = CASE WHEN number = ? THEN 1 ELSE 0 END WHERE tenant = ? AND bot = ?", number, owner, bot[:])
}

// DeleteFlows implements [parley.Flows].
func (t *tx) DeleteFlows(ctx context.Context, tenant parley.TenantID, bot parley.ApplicationID) error {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return err
	}
	return t.run(ctx, "DELETE FROM flows WHERE bot = ? AND tenant = ?", bot[:], owner)
}
