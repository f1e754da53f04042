package insight

import (
	"cmp"
	"context"
	"fmt"
	"runtime/debug"
	"time"
	"unicode/utf8"

	"parley"
	"parley/markup"
)

// look finds what there is to find in messages of any conversations, stores it, and does what fresh hits ask for.
func (d *Detector) look(ctx context.Context, fed []parley.FedMessage, fresh bool) error {
	tenants, order := map[parley.TenantID][]parley.FedMessage{}, []parley.TenantID{}
	for _, m := range fed {
		if tenants[m.Tenant] == nil {
			order = append(order, m.Tenant)
		}
		tenants[m.Tenant] = append(tenants[m.Tenant], m)
	}
	for _, tenant := range order {
		if err := d.lookAt(ctx, tenant, tenants[tenant], fresh); err != nil {
			return fmt.Errorf("look at messages of tenant %s: %w", tenant, err)
		}
	}
	return nil
}

func (d *Detector) lookAt(ctx context.Context, tenant parley.TenantID, fed []parley.FedMessage, fresh bool) error {
	talks, err := d.talks(ctx, tenant, fed)
	if err != nil {
		return err
	}
	engine, err := d.engines.of(ctx, tenant)
	if err != nil {
		return err
	}
	jobs, err := d.jobsOf(ctx, tenant, talks, engine)
	if err != nil {
		return err
	}
	prepare(ctx, talks, engine, jobs)
	var found []parley.Detection
	for i := range talks {
		if len(talks[i].messages) == 0 {
			continue
		}
		detection, acts := d.detect(&talks[i], engine, jobs)
		if fresh {
			if err := d.act(ctx, tenant, acts); err != nil {
				return err
			}
		}
		found = append(found, detection)
	}
	if len(found) == 0 {
		return nil
	}
	if err := d.keep(ctx, tenant, found, jobs); err != nil {
		return err
	}
	d.remember(talks, fresh)
	return nil
}

// prepare asks for what an embedder has to say of all messages together.
func prepare(ctx context.Context, talks []talk, own *engine, jobs map[parley.JobID]*textJob) {
	if own.meaning == nil {
		return
	}
	said := map[*engine][]string{}
	for i := range talks {
		for j := range talks[i].messages {
			m, with := &talks[i].messages[j], own
			if j := jobs[m.Body.Job]; j != nil {
				with = j.engine
			}
			if text := Said(m); text != "" {
				said[with] = append(said[with], text)
			}
		}
	}
	for with, texts := range said {
		own.meaning.prepare(ctx, with, texts)
	}
}

// remember notes how far conversations were looked at, and how long the newest messages waited for it.
func (d *Detector) remember(talks []talk, fresh bool) {
	if len(d.known) > maxKnown {
		clear(d.known)
	}
	for i := range talks {
		t := &talks[i]
		n := len(t.messages)
		if n == 0 {
			continue
		}
		t.known.seq = t.messages[n-1].Seq
		d.known[t.conversation.ID] = t.known
		d.metrics.messages.Add(float64(n))
		if fresh && t.messages[n-1].Body.Job.IsZero() {
			d.metrics.lag.Observe(d.now().Sub(t.messages[n-1].Created).Seconds())
		}
	}
}

// defaultLanguage is that of conversations that have none (reference 7.1).
const defaultLanguage = "en-US"

func languageOf(c *parley.Conversation) string { return cmp.Or(c.State.Language, defaultLanguage) }

// detect looks at the messages of one conversation.
func (d *Detector) detect(t *talk, e *engine, jobs map[parley.JobID]*textJob) (parley.Detection, []parley.Detected) {
	out := parley.Detection{At: d.now()}
	var acts []parley.Detected
	var members []parley.Member
	var job *parley.Job // that added the last of them
	for _, m := range t.messages {
		with := e
		if j := jobs[m.Body.Job]; j != nil {
			with = j.engine
			j.seqs = append(j.seqs, m.Seq)
			job = &j.job
		}
		said := Said(&m)
		if said == "" {
			continue
		}
		members = joined(members, memberOf(t.conversation.ID, t.known.email, &m))
		began := time.Now()
		trackers, entities := d.find(with, said, t.known.language, &m)
		d.metrics.seconds.Observe(time.Since(began).Seconds())
		out.Trackers, out.Entities = append(out.Trackers, trackers...), append(out.Entities, entities...)
		for _, h := range trackers {
			d.metrics.hits.WithLabelValues(hitKind(h)).Inc()
			action := with.action(h.Tracker)
			if action.Label != "" {
				out.Labels = append(out.Labels, storable(action.Label))
			}
			if action.Callback || action.HandOver {
				acts = append(acts, parley.Detected{Tracker: h.Tracker, Name: h.Name, Phrase: h.Value, Message: m, Action: action})
			}
		}
		d.metrics.hits.WithLabelValues("entity").Add(float64(len(entities)))
	}
	out.Insight = insightOf(&t.conversation, t.messages, job)
	out.Insight.Members = members
	return out, acts
}

func hitKind(h parley.TrackerHit) string {
	if h.Offset >= 0 {
		return "exact"
	}
	return "similar"
}

// find looks at one message. Should the engine fail on a text that nobody thought of, the message counts as one in which there
// is nothing, and the log has it.
func (d *Detector) find(e *engine, said, language string, m *parley.Message) (trackers []parley.TrackerHit, entities []parley.EntityHit) {
	defer func() {
		if p := recover(); p != nil {
			d.metrics.errors.Inc()
			d.config.Logger.Error("looking at a message", "conversation", m.Conversation, "seq", m.Seq, "panic", p, "stack", string(debug.Stack()))
		}
	}()
	return e.find(said, language, m.Seq)
}

// Said is the text of a message in which something may be found: what a person or a bot said, as long as it may be shown. Rich
// text counts as a reader sees it.
func Said(m *parley.Message) string {
	c := m.Body.Content
	if m.Deleted != parley.NotDeleted || m.Sender == parley.System || c == nil || c.Redact {
		return ""
	}
	said := c.Text
	if said == "" {
		said = markup.Text(c.HTML)
	}
	if !utf8.ValidString(said) {
		return ""
	}
	return said
}
