package insight

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"parley"
)

const (
	// openJobs bounds the jobs that are worked on in one round.
	openJobs = 50
	// rangePage is how many conversations of a range are looked at in one round, so that new messages do not wait for it.
	rangePage = 20
	// strandedAfter is how long a text may be announced and not stored before its job counts as failed.
	strandedAfter = time.Minute
)

// A textJob is a job whose messages are among those being looked at.
type textJob struct {
	job    parley.Job
	engine *engine
	seen   int // messages of it in this round
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
			if err != nil {
				return err
			}
			jobs[id] = &textJob{job: job, engine: own.forJob(&job.Request)}
		}
		return nil
	})
	return jobs, err
}

// work goes on with the jobs that have something to do, and tells the webhooks of those that are over.
func (d *Detector) work(ctx context.Context) error {
	var open []parley.Job
	err := d.config.Record.View(ctx, func(tx parley.Tx) (err error) {
		open, err = tx.JobsOpen(ctx, openJobs)
		return err
	})
	if err != nil {
		return err
	}
	for _, j := range open {
		switch {
		case j.Status.Over():
			err = d.tell(ctx, j)
		case j.Kind == parley.JobRange:
			err = d.again(ctx, j)
		case j.Status == parley.JobScheduled && d.now().Sub(j.Created) > strandedAfter:
			err = d.change(ctx, &j, func(j *parley.Job) {
				j.Status, j.Finished, j.Reason = parley.JobFailed, d.now(), "the hub ended before the text was stored; send it again"
			})
		}
		if err != nil {
			return fmt.Errorf("job %s: %w", j.ID, err)
		}
	}
	return nil
}

// change lets fn work on a job, unless it was over or cancelled meanwhile.
func (d *Detector) change(ctx context.Context, j *parley.Job, fn func(*parley.Job)) error {
	return d.config.Record.Update(ctx, func(tx parley.Tx) error {
		now, err := tx.Job(ctx, j.Tenant, j.ID)
		if err != nil {
			return err
		}
		if now.Status.Over() && !j.Status.Over() {
			return nil
		}
		fn(&now)
		return tx.ReplaceJob(ctx, now)
	})
}

// again looks at the next conversations of a range with the trackers and entities of now. Actions are not done: what they would do
// was about the moment at which it was said.
func (d *Detector) again(ctx context.Context, j parley.Job) error {
	var page []parley.Insight
	total := j.Total
	err := d.config.Record.View(ctx, func(tx parley.Tx) (err error) {
		if total == 0 {
			if total, err = tx.CountInsights(ctx, j.Tenant, j.Request.From, j.Request.Until); err != nil {
				return err
			}
		}
		page, err = tx.InsightsAfter(ctx, j.Tenant, j.Cursor, j.Request.From, j.Request.Until, rangePage)
		return err
	})
	if err != nil {
		return err
	}
	engine, err := d.engines.of(ctx, j.Tenant)
	if err != nil {
		return err
	}
	engine = engine.only(j.Request.Only)
	for _, i := range page {
		if err := d.lookAgain(ctx, i, engine, j.Request.Only); err != nil {
			return err
		}
	}
	return d.change(ctx, &j, func(now *parley.Job) {
		now.Status, now.Done, now.Total = parley.JobInProgress, now.Done+len(page), max(total, now.Done+len(page))
		if len(page) > 0 {
			now.Cursor = page[len(page)-1].Number
		}
		if len(page) < rangePage {
			now.Status, now.Finished, now.Total = parley.JobCompleted, d.now(), now.Done
		}
	})
}

// lookAgain looks at what was looked at of a conversation, and puts what is found now in place of what was.
func (d *Detector) lookAgain(ctx context.Context, i parley.Insight, e *engine, only []parley.Number) error {
	found := parley.Detection{Insight: i, At: d.now()}
	var language string
	var messages []parley.Message
	err := d.config.Record.View(ctx, func(tx parley.Tx) error {
		c, err := tx.Conversation(ctx, i.Tenant, i.Conversation)
		if err != nil {
			return err
		}
		language = languageOf(&c)
		messages, err = messagesUpTo(ctx, tx, i.Tenant, i.Conversation, 0, i.Seq)
		return err
	})
	if parley.KindOf(err) == parley.NotFound {
		return nil // erased meanwhile
	}
	if err != nil {
		return err
	}
	for _, m := range messages {
		if said := Said(&m); said != "" {
			trackers, entities := d.find(e, said, language, &m)
			found.Trackers = append(found.Trackers, trackers...)
			if len(only) == 0 {
				found.Entities = append(found.Entities, entities...)
			}
			for _, h := range trackers {
				if label := e.action(h.Tracker).Label; label != "" {
					found.Labels = append(found.Labels, label)
				}
			}
		}
	}
	return d.config.Record.Update(ctx, func(tx parley.Tx) error {
		if err := tx.DropHits(ctx, i.Tenant, i.Conversation, only); err != nil {
			return err
		}
		return tx.PutDetections(ctx, i.Tenant, []parley.Detection{found})
	})
}

// A Teller posts a body to a URL, once; see [parley/dispatch].
type Teller interface {
	Tell(ctx context.Context, url string, body []byte) error
}

// webhookWaits are the pauses between tries to tell a webhook how a job ended; after the last it is given up, since the job can
// be read.
var webhookWaits = []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 5 * time.Minute, 30 * time.Minute}

// tell tells the webhook of a job that is over how it ended.
func (d *Detector) tell(ctx context.Context, j parley.Job) error {
	if d.now().Before(j.Request.WebhookNext) || d.config.Teller == nil {
		return nil
	}
	body, err := json.Marshal(map[string]string{"jobId": j.ID.String(), "status": string(j.Status)})
	if err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	failure := d.config.Teller.Tell(ctx, j.Request.Webhook, body)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return d.change(ctx, &j, func(now *parley.Job) {
		if failure == nil || now.Request.WebhookTry == len(webhookWaits) {
			now.Told = true
			return
		}
		now.Request.WebhookNext = d.now().Add(webhookWaits[now.Request.WebhookTry])
		now.Request.WebhookTry++
	})
}
