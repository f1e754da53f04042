package retention_test

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"testing"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/testutil"

	"parley"
	"parley/ident"
	"parley/insight/figures"
	"parley/retention"
	"parley/store"
	"parley/store/storetest"
)

type opener = func(testing.TB, ...storetest.Option) *store.Store

var start = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// A house is a hub's record with a job that keeps it clean, and a clock.
type house struct {
	*store.Store
	t       *testing.T
	now     time.Time
	counter *figures.Counter
	job     *retention.Job
	meter   *prometheus.Registry
	erased  []parley.AssetID
	fails   bool // files cannot be removed
	led     bool // another node leads
}

func newHouse(t *testing.T, open opener) *house {
	h := &house{t: t, now: start, meter: prometheus.NewRegistry()}
	clock := func() time.Time { return h.now }
	h.Store = open(t, storetest.Clock(clock))
	h.do(func(tx parley.Tx) error { return tx.SetFeedCursor(t.Context(), parley.FeedDetection, 1<<60) }) // which has nothing to look for
	log := slog.New(slog.DiscardHandler)
	h.job = retention.New(retention.Config{Record: h, Files: h, Live: h, Logger: log, Meter: h.meter, Clock: clock})
	h.counter = figures.NewCounter(figures.Config{Record: h.Store, Logger: log, Clock: clock, Retained: func(n int) { h.job.Removed(parley.RetainedAnalytics, n) }})
	return h
}

// Erase takes the part of the bucket.
func (h *house) Erase(_ context.Context, _ parley.TenantID, id parley.AssetID) error {
	if h.fails {
		return errors.New("the bucket is away")
	}
	h.erased = append(h.erased, id)
	return nil
}

// Lock takes the part of Redis.
func (h *house) Lock(context.Context, string, string, time.Duration) (bool, error) {
	return !h.led, nil
}

func (h *house) do(fn func(parley.Tx) error) {
	h.t.Helper()
	if err := h.Update(h.t.Context(), fn); err != nil {
		h.t.Fatal(err)
	}
}

func (h *house) keeps(tenant parley.TenantID, r parley.Retention) {
	h.t.Helper()
	h.do(func(tx parley.Tx) error { return tx.PutRetention(h.t.Context(), tenant, r, h.now) })
}

func (h *house) count() {
	h.t.Helper()
	for more := true; more; {
		var err error
		if more, err = h.counter.Round(h.t.Context()); err != nil {
			h.t.Fatalf("Round = %v", err)
		}
	}
}

func (h *house) sweep() {
	h.t.Helper()
	h.count()
	if err := h.job.Sweep(h.t.Context()); err != nil {
		h.t.Fatalf("Sweep = %v", err)
	}
}

func (h *house) removed(kind parley.RetentionKind) (n int64) {
	h.t.Helper()
	if err := h.View(h.t.Context(), func(tx parley.Tx) error {
		r, err := tx.Retention(h.t.Context(), parley.DefaultTenant)
		n = r.Removed[kind].Count
		return err
	}); err != nil {
		h.t.Fatal(err)
	}
	return n
}

// talk is what people say to each other, without a bot that would have to be told.
func (h *house) talk(tenant parley.TenantID) *parley.Conversation {
	h.t.Helper()
	c := &parley.Conversation{ID: ident.New[parley.Conversation](), Tenant: tenant, Account: storetest.AccountID, Epoch: 1, Status: parley.Open, Created: h.now, Touched: h.now,
		Owner: parley.Owner{Kind: parley.OwnerQueue}, State: parley.ConversationState{ChannelType: "web_chat", Parties: []parley.Party{{Role: parley.Customer}}}}
	step := storetest.Say(c, parley.Customer, "", 0)
	step.New = true
	storetest.MustCommit(h.t, h, step)
	return step.Conversation
}

func (h *house) says(c *parley.Conversation, files ...parley.AssetID) *parley.Conversation {
	h.t.Helper()
	step := storetest.Say(c, parley.Customer, "", 0)
	m := &step.Messages[0]
	m.Created, step.UsedAssets = h.now, files
	for _, f := range files {
		m.Body.Attachments = append(m.Body.Attachments, parley.Attachment{Asset: f, Name: "x.txt"})
	}
	storetest.MustCommit(h.t, h, step)
	return step.Conversation
}

func (h *house) ends(c *parley.Conversation) {
	h.t.Helper()
	step := storetest.Say(c, parley.System, "", 0)
	step.Messages[0].Type, step.Messages[0].Created, step.StateChanged = parley.TypeConversationEnd, h.now, true
	step.Conversation.Status, step.Conversation.Ended, step.Conversation.Epoch, step.Conversation.Owner = parley.Ended, h.now, c.Epoch+1, parley.Owner{Kind: parley.OwnerNone}
	storetest.MustCommit(h.t, h, step)
}

func (h *house) file(sender parley.Role) parley.AssetID {
	h.t.Helper()
	a := parley.Asset{ID: ident.New[parley.Asset](), Tenant: parley.DefaultTenant, ChannelType: "web_chat", Sender: sender, Name: "x.txt", Size: 1, ContentType: "text/plain", Uploaded: true, Created: h.now}
	h.do(func(tx parley.Tx) error { return tx.InsertAsset(h.t.Context(), a) })
	return a.ID
}

func (h *house) has(c *parley.Conversation) bool {
	h.t.Helper()
	err := h.View(h.t.Context(), func(tx parley.Tx) error {
		_, err := tx.Conversation(h.t.Context(), c.Tenant, c.ID)
		return err
	})
	if err != nil && parley.KindOf(err) != parley.NotFound {
		h.t.Fatal(err)
	}
	return err == nil
}

func (h *house) swept() (unused []parley.AssetID) {
	h.t.Helper()
	if err := h.View(h.t.Context(), func(tx parley.Tx) error {
		all, err := tx.UnusedAssets(h.t.Context(), h.now, 100)
		for _, a := range all {
			unused = append(unused, a.ID)
		}
		return err
	}); err != nil {
		h.t.Fatal(err)
	}
	return unused
}

// Conversations go once they are over for long enough, in as many steps as it takes, and only where that was asked for; their figures stay.
// A file goes with the last message that uses it.
func TestMessagesAreKeptForATime(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		h := newHouse(t, open)
		other := parley.Tenant{ID: ident.New[parley.Tenant](), Organisation: parley.DefaultOrganisation, Name: "other", Created: start, Modified: start}
		h.do(func(tx parley.Tx) error { return tx.InsertTenant(t.Context(), other) })
		h.count() // the first time it looks at what is there, later at what is new
		shared, own := h.file(parley.CustomBot), h.file(parley.Customer)
		stranger := h.talk(other.ID)
		h.ends(stranger)
		const many = 230
		var all []*parley.Conversation
		for range many {
			c := h.talk(parley.DefaultTenant)
			all = append(all, c)
		}
		all[0] = h.says(all[0], shared, own)
		for _, c := range all {
			h.ends(c)
		}
		h.now = h.now.Add(24 * time.Hour)
		young := h.says(h.talk(parley.DefaultTenant), shared)
		h.ends(young)
		h.now = h.now.Add(29*24*time.Hour + time.Minute)
		h.talk(parley.DefaultTenant)
		h.sweep()
		if !h.has(all[0]) {
			t.Fatal("something was removed although nobody said how long to keep it")
		}
		h.keeps(parley.DefaultTenant, parley.Retention{Messages: 30})
		h.led = true
		h.sweep()
		if !h.has(all[0]) {
			t.Fatal("a node that does not lead removed something")
		}
		h.led = false
		h.sweep()
		for i, c := range all {
			if h.has(c) {
				t.Fatalf("conversation %d is still there", i)
			}
		}
		if !h.has(young) || !h.has(stranger) {
			t.Error("a young conversation is gone, or another environment's")
		}
		if n := h.removed(parley.RetainedMessages); n != 2*many+1 {
			t.Errorf("%d messages were noted, want %d", n, 2*many+1)
		}
		if n := int(testutil.ToFloat64(h.metric("messages"))); n != 2*many+1 {
			t.Errorf("the metric has %d messages", n)
		}
		if unused := h.swept(); !slices.Equal(unused, []parley.AssetID{own}) {
			t.Errorf("unused are %v, want only %s: the other one is used elsewhere", unused, own)
		}
		h.count()
		statistics := figures.Statistics{Record: h.Store}
		got, err := statistics.Conversations(t.Context(), figures.Query{Tenant: parley.DefaultTenant, From: start, Until: start.Add(time.Hour)})
		if err != nil || len(got.Series) != 1 || got.Series[0].Sum != many {
			t.Errorf("Conversations = %+v, %v; want %d of them", got, err, many)
		}
		h.now = h.now.Add(2 * 24 * time.Hour)
		h.sweep()
		if h.has(young) || len(h.swept()) != 2 {
			t.Error("the young one was not removed once it was old, or its file is still used")
		}
	})
}

func (h *house) metric(kind string) prometheus.Collector {
	h.t.Helper()
	c := prometheus.NewGauge(prometheus.GaugeOpts{Name: "copy"})
	all, err := h.meter.Gather()
	if err != nil {
		h.t.Fatal(err)
	}
	for _, f := range all {
		for _, m := range f.Metric {
			if f.GetName() == "parley_retention_removed_total" && m.Label[0].GetValue() == kind {
				c.Set(m.Counter.GetValue())
			}
		}
	}
	return c
}

// A conversation that never ends loses the words that are too old, and keeps its order.
func TestOldWordsGo(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		h := newHouse(t, open)
		h.count()
		file := h.file(parley.Customer)
		c := h.says(h.talk(parley.DefaultTenant), file)
		const before = 700 // more than one transaction empties
		for range before {
			c = h.says(c)
		}
		h.now = h.now.Add(31 * 24 * time.Hour)
		c = h.says(c)
		h.talk(parley.DefaultTenant)
		h.keeps(parley.DefaultTenant, parley.Retention{Messages: 30})
		h.sweep()
		messages := storetest.Messages(t, h, c.ID)
		if len(messages) != before+3 {
			t.Fatalf("%d messages, want all %d in their places", len(messages), before+3)
		}
		for _, m := range messages {
			old := m.Seq < int64(len(messages))
			if (m.Deleted == parley.Erased) != old || (m.Body.Content == nil) != old || len(m.Body.Attachments) > 0 {
				t.Fatalf("message %d: deleted %v, content %v", m.Seq, m.Deleted, m.Body.Content)
			}
		}
		if n := h.removed(parley.RetainedMessages); n != before+2 {
			t.Errorf("%d messages were noted, want %d", n, before+2)
		}
		if unused := h.swept(); len(unused) != 1 || unused[0] != file {
			t.Errorf("unused are %v, want %s", unused, file)
		}
		h.sweep()
		if n := h.removed(parley.RetainedMessages); n != before+2 {
			t.Errorf("%d messages were noted after another sweep", n)
		}
	})
}

// Files go after their last use, bytes first; when that fails they are there the next time, and the other kinds are not held up.
func TestFilesAttemptsAndEventsAreKeptForATime(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		h := newHouse(t, open)
		h.count()
		unused, used := h.file(parley.Customer), h.file(parley.CustomBot)
		c := h.talk(parley.DefaultTenant)
		bot := ident.New[parley.ClientApplication]()
		track := func(id string) {
			h.do(func(tx parley.Tx) error {
				_, err := tx.TrackEvent(t.Context(), &parley.TrackedEvent{Tenant: parley.DefaultTenant, Bot: bot, ID: id, Version: "LIVE", Name: "paid", Attributes: []byte(`{"a":"b"}`), At: h.now, Received: h.now})
				return err
			})
		}
		track("old")
		h.now = h.now.Add(20 * 24 * time.Hour)
		c = h.says(c, used)
		track("new")
		h.now = h.now.Add(11 * 24 * time.Hour)
		h.keeps(parley.DefaultTenant, parley.Retention{Attachments: 30, Attempts: 30, Analytics: 30})
		h.fails = true
		if err := h.job.Sweep(t.Context()); err == nil {
			t.Error("Sweep says nothing of a bucket that is away")
		}
		if n := h.removed(parley.RetainedAttachments); n != 0 {
			t.Errorf("%d files are noted as removed", n)
		}
		if n := h.removed(parley.RetainedAnalytics); n != 1 {
			t.Errorf("%d events were removed, want 1", n)
		}
		h.fails = false
		h.sweep()
		if !slices.Equal(h.erased, []parley.AssetID{unused}) || h.removed(parley.RetainedAttachments) != 1 {
			t.Errorf("erased %v, want %s", h.erased, unused)
		}
		h.now = h.now.Add(20 * 24 * time.Hour)
		h.sweep()
		if len(h.erased) != 2 || h.erased[1] != used {
			t.Errorf("erased %v, want %s at last", h.erased, used)
		}
		if got := storetest.Messages(t, h, c.ID); len(got) != 2 || got[1].Body.Attachments[0].Name != "x.txt" {
			t.Errorf("messages are %+v, want what was said of the file", got)
		}
		var due parley.RetentionDue
		if err := h.View(t.Context(), func(tx parley.Tx) (err error) {
			due, err = tx.RetentionDue(t.Context(), parley.DefaultTenant, parley.Retention{Messages: 1, Attachments: 1, Attempts: 1, Analytics: 1}, h.now)
			return err
		}); err != nil || due != (parley.RetentionDue{Messages: 2}) {
			t.Errorf("RetentionDue = %+v, %v; want the words of a conversation that goes on", due, err)
		}
		events := func() (ids []string) {
			if err := h.View(t.Context(), func(tx parley.Tx) error {
				all, err := tx.TrackedEvents(t.Context(), parley.EventQuery{Tenant: parley.DefaultTenant, Limit: 10})
				for _, e := range all {
					ids = append(ids, e.ID)
				}
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return ids
		}
		if got := events(); !slices.Equal(got, []string{"new"}) {
			t.Errorf("events are %v, want the last one of all", got)
		}
		track("newer")
		h.sweep()
		if got := events(); !slices.Equal(got, []string{"newer"}) {
			t.Errorf("events are %v, want the newer one only", got)
		}
	})
}
