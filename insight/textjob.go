package insight

import (
	"context"
	"time"

	"parley"
)

// A textJob is a job whose messages are among those being looked at.
type textJob struct {
	job    parley.Job
	engine *engine
	seqs   []int64 // of its messages in this round
}

// jobsOf reads the jobs that messages of these talks belong to; own is the tenant's engine.
func (d *Detector) jobsOf(ctx context.Context, tenant parley.TenantID, talks []talk, own *engine) (map[parley.JobID]*textJob, error) {
	jobs := map[parley.JobID]*textJob{}
	for i := range talks {
		for _, m := range talks[i].messages {
			if !m.Body.Job.IsZero() {
				jobs[m.Body.Job] = nil
			}
		}
	}
	if len(jobs) == 0 { // most of the time
		return nil, nil
	}
	err := d.config.Record.View(ctx, func(tx parley.Tx) error {
		for id := range jobs {
			job, err := tx.Job(ctx, tenant, id)
			if parley.KindOf(err) == parley.NotFound { // removed for its age: nobody waits for it
				delete(jobs, id)
				continue
			}
			if err != nil {
				return err
			}
			jobs[id] = &textJob{job: job}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, j := range jobs {
		j.engine = d.engines.ofJob(own, &j.job, func() *engine { return own.forJob(&j.job.Request) })
	}
	return jobs, nil
}

// advance notes how far a text is. Another node may look at the same messages; who is first counts them, which the insight's Seq
// tells before it moves.
func (j *textJob) advance(ctx context.Context, tx parley.Tx, now time.Time) error {
	job, err := tx.Job(ctx, j.job.Tenant, j.job.ID)
	if err != nil || job.Status.Over() {
		return err
	}
	in, err := tx.InsightOf(ctx, j.job.Tenant, j.job.Conversation)
	if err != nil && parley.KindOf(err) != parley.NotFound {
		return err
	}
	fresh := 0
	for _, seq := range j.seqs {
		if seq > in.Seq {
			fresh++
		}
	}
	if fresh == 0 {
		return nil
	}
	job.Done, job.Status = job.Done+fresh, parley.JobInProgress
	if job.Done >= job.Total {
		job.Status, job.Finished = parley.JobCompleted, now
	}
	return tx.ReplaceJob(ctx, job)
}
