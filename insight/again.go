package insight

import (
	"cmp"
	"context"

	"parley"
)

const (
	// rangePage is how many conversations of a range are looked at in one round, so that other jobs do not wait for it.
	rangePage = 20
	// rangeMessages is after how many messages a round ends before that.
	rangeMessages = 2000
)

// again looks at the next conversations of a range with the trackers and entities of now. Actions are not done: what they would do
// was about the moment at which it was said. What is found and how far the job is become true together.
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
	own, err := d.engines.of(ctx, j.Tenant)
	if err != nil {
		return err
	}
	engine := d.engines.ofJob(own, &j, func() *engine { return own.only(j.Request.Only) })
	last := len(page) < rangePage
	var found []parley.Detection
	left := map[parley.ConversationID]bool{}
	for messages := 0; len(found) < len(page); {
		if messages >= rangeMessages {
			page, last = page[:len(found)], false
			break
		}
		detection, looked, err := d.lookAgain(ctx, page[len(found)], own, engine, j.Request.Only)
		if err != nil {
			return err
		}
		left[detection.Insight.Conversation] = looked == 0
		messages += looked
		found = append(found, detection)
	}
	return d.config.Record.Update(ctx, func(tx parley.Tx) error {
		now, err := tx.Job(ctx, j.Tenant, j.ID)
		if err != nil || now.Status.Over() || now.Cursor != j.Cursor { // cancelled, or another node was faster
			return err
		}
		for _, i := range page {
			if left[i.Conversation] {
				continue
			}
			if err := tx.DropHits(ctx, i.Tenant, i.Conversation, i.Seq, j.Request.Only); err != nil {
				return err
			}
		}
		if err := tx.PutDetections(ctx, j.Tenant, found); err != nil {
			return err
		}
		now.Status, now.Done, now.Total, now.Next = parley.JobInProgress, now.Done+len(page), max(total, now.Done+len(page)), d.now()
		if len(page) > 0 {
			now.Cursor = page[len(page)-1].Number
		}
		if last {
			now.Status, now.Finished, now.Total = parley.JobCompleted, d.now(), now.Done
		}
		return tx.ReplaceJob(ctx, now)
	})
}

// lookAgain finds what there is in what was looked at of a conversation, and says how many messages that were. e is made of own, the
// tenant's engine; a text that brought trackers along, or wanted none, is looked at as it asked for. One of which that is not known any
// more, since its job was removed for its age, is left as it is, and no message counts as looked at.
func (d *Detector) lookAgain(ctx context.Context, i parley.Insight, own, e *engine, only []parley.Number) (parley.Detection, int, error) {
	found := parley.Detection{Insight: i, At: d.now()}
	var language string
	var messages []parley.Message
	texts := map[parley.JobID]*engine{}
	err := d.config.Record.View(ctx, func(tx parley.Tx) error {
		c, err := tx.Conversation(ctx, i.Tenant, i.Conversation)
		if err != nil {
			return err
		}
		language = languageOf(&c)
		if messages, err = messagesUpTo(ctx, tx, i.Tenant, i.Conversation, 0, i.Seq); err != nil {
			return err
		}
		for _, m := range messages {
			if id := m.Body.Job; !id.IsZero() && texts[id] == nil {
				text, err := tx.Job(ctx, i.Tenant, id)
				if err != nil {
					return err
				}
				if texts[id] = own.forJob(&text.Request); texts[id] == own {
					texts[id] = e
				} else {
					texts[id] = texts[id].only(only)
				}
			}
		}
		return nil
	})
	if parley.KindOf(err) == parley.NotFound {
		return found, 0, nil // gone, or its job is
	}
	if err != nil {
		return found, 0, err
	}
	said := map[*engine][]string{}
	for i := range messages {
		if text := Said(&messages[i]); text != "" {
			with := cmp.Or(texts[messages[i].Body.Job], e)
			said[with] = append(said[with], text)
		}
	}
	for with, all := range said {
		own.meaning.prepare(ctx, with, all)
	}
	for _, m := range messages {
		e := cmp.Or(texts[m.Body.Job], e)
		said := Said(&m)
		if said == "" {
			continue
		}
		trackers, entities := d.find(e, said, language, &m)
		found.Trackers = append(found.Trackers, trackers...)
		found.Entities = append(found.Entities, entities...)
		for _, h := range trackers {
			if label := e.action(h.Tracker).Label; label != "" {
				found.Labels = append(found.Labels, storable(label))
			}
		}
	}
	return found, len(messages), nil
}
