package insight

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"time"

	"golang.org/x/sync/errgroup"

	"parley"
)

const (
	// dueJobs bounds the jobs that are worked on in one round.
	dueJobs = 50
	// jobPause is for how long a job is left alone after it failed, so that it does not hold up the others.
	jobPause = 5 * time.Second
	// tellers is how many webhooks are told at a time: one that does not answer must not hold up the others.
	tellers = 16
)

// work goes on with the jobs that are due, and tells the webhooks of those that are over.
func (d *Detector) work(ctx context.Context) error {
	var due []parley.Job
	err := d.config.Record.View(ctx, func(tx parley.Tx) (err error) {
		due, err = tx.JobsDue(ctx, d.now(), dueJobs)
		return err
	})
	if err != nil {
		return err
	}
	failed := make([]error, len(due)+1)
	var telling errgroup.Group
	telling.SetLimit(tellers)
	for i := range due {
		if j := due[i]; j.Status.Over() {
			telling.Go(func() error {
				failed[i] = d.tell(ctx, j)
				return nil
			})
		}
	}
	for i := range due {
		switch j := due[i]; {
		case j.Status.Over():
			continue
		case j.Kind == parley.JobRange:
			failed[i] = d.again(ctx, j)
		default:
			failed[i] = d.strand(ctx, j)
		}
	}
	failed[len(due)] = telling.Wait()
	for i, j := range due {
		if failed[i] == nil || ctx.Err() != nil {
			continue
		}
		failed[i] = errors.Join(fmt.Errorf("job %s: %w", j.ID, failed[i]),
			d.change(ctx, &j, func(now *parley.Job) { now.Next = d.now().Add(jobPause) }))
	}
	return errors.Join(failed...)
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

// strand ends the job of a text that was announced and not stored. That is known only once everything was looked at that was said
// while it could have been stored; until then the job waits.
func (d *Detector) strand(ctx context.Context, j parley.Job) error {
	stranded := d.caughtUp.Load() >= j.Created.Add(parley.TextWait).UnixMilli()
	return d.change(ctx, &j, func(now *parley.Job) {
		switch {
		case now.Status != parley.JobScheduled: // it was found
		case stranded:
			now.Status, now.Finished, now.Reason = parley.JobFailed, d.now(), "the hub ended before the text was stored; send it again"
		default:
			now.Next = d.now().Add(jobPause)
		}
	})
}

// A Teller posts a body to a URL, once; see [parley/dispatch]. It is asked for several jobs at a time.
type Teller interface {
	Tell(ctx context.Context, url string, body []byte) error
}

// webhookWaits are the pauses between tries to tell a webhook how a job ended; after the last it is given up, since the job can
// be read.
var webhookWaits = []time.Duration{time.Second, 5 * time.Second, 30 * time.Second, 5 * time.Minute, 30 * time.Minute}

// tell tells the webhook of a job that is over how it ended.
func (d *Detector) tell(ctx context.Context, j parley.Job) error {
	body, err := json.Marshal(map[string]string{"jobId": j.ID.String(), "status": string(j.Status)})
	if err != nil {
		return fmt.Errorf("write status: %w", err)
	}
	var failure error
	if d.config.Teller != nil {
		failure = d.config.Teller.Tell(ctx, j.Request.Webhook, body)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	return d.change(ctx, &j, func(now *parley.Job) {
		if failure == nil || now.Request.WebhookTry == len(webhookWaits) {
			now.Told = true
			return
		}
		now.Next = d.now().Add(webhookWaits[now.Request.WebhookTry])
		now.Request.WebhookTry++
	})
}
