package insight

import (
	"context"
	"fmt"
	"time"

	"parley"
	"parley/ident"
)

// Runs has the rules of looking again at conversations of a range, with the trackers and entities of now. What is found takes the
// place of what was found. Safe for concurrent use.
type Runs struct{ *Vocabularies }

// A Run is what somebody wants looked at again.
type Run struct {
	From, Until time.Time       // when the conversations started; zero = no bound
	Trackers    []parley.Number // only these; none = all of the tenant's, and the entities
}

// maxRuns bounds a page of runs.
const maxRuns = 100

// Start begins a run. Invalid, also if there is no such tracker.
func (s Runs) Start(ctx context.Context, tenant parley.TenantID, r Run) (parley.Job, error) {
	j := parley.Job{ID: ident.New[parley.Job](), Tenant: tenant, Kind: parley.JobRange, Status: parley.JobScheduled, Created: s.now(),
		Request: parley.JobRequest{From: r.From, Until: r.Until, Only: r.Trackers}}
	if !r.From.IsZero() && !r.Until.IsZero() && !r.From.Before(r.Until) {
		return j, invalid("from", "%q must be before %q", "from", "until")
	}
	err := s.store.Update(ctx, func(tx parley.Tx) error {
		for _, n := range r.Trackers {
			if _, err := tx.Trackers().Find(ctx, tenant, n); parley.KindOf(err) == parley.NotFound {
				return invalid("trackers", "%q has the id %s, and there is no such tracker", "trackers", n)
			} else if err != nil {
				return err
			}
		}
		return tx.InsertJob(ctx, j)
	})
	if err != nil {
		return j, fmt.Errorf("start run: %w", err)
	}
	return j, nil
}

// List is a page of runs, newest first: those that were started before one of them, zero = from the newest on. Invalid.
func (s Runs) List(ctx context.Context, tenant parley.TenantID, before parley.JobID, limit int) (page []parley.Job, err error) {
	if limit < 1 || limit > maxRuns {
		return nil, invalid("limit", "%q must be from 1 to %d", "limit", maxRuns)
	}
	err = s.store.View(ctx, func(tx parley.Tx) (err error) {
		page, err = tx.JobsOf(ctx, tenant, parley.JobRange, before, limit)
		return err
	})
	return page, err
}

// Find is a run, with how far it is.
func (s Runs) Find(ctx context.Context, tenant parley.TenantID, id parley.JobID) (j parley.Job, err error) {
	err = s.store.View(ctx, func(tx parley.Tx) (err error) {
		j, err = run(ctx, tx, tenant, id)
		return err
	})
	return j, err
}

// Cancel ends a run: what it has found stays, nothing more is looked at. One that is over stays as it is.
func (s Runs) Cancel(ctx context.Context, tenant parley.TenantID, id parley.JobID) (j parley.Job, err error) {
	err = s.store.Update(ctx, func(tx parley.Tx) (err error) {
		if j, err = run(ctx, tx, tenant, id); err != nil || j.Status.Over() {
			return err
		}
		j.Status, j.Finished = parley.JobCancelled, s.now()
		return tx.ReplaceJob(ctx, j)
	})
	return j, err
}

func run(ctx context.Context, tx parley.Tx, tenant parley.TenantID, id parley.JobID) (parley.Job, error) {
	j, err := tx.Job(ctx, tenant, id)
	if err == nil && j.Kind != parley.JobRange {
		err = &parley.Error{Kind: parley.NotFound, Msg: "run not found"}
	}
	return j, err
}
