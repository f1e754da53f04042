package insight

import (
	"cmp"
	"context"
	"fmt"
	"net/netip"
	"net/url"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"parley"
	"parley/egress"
	"parley/ident"
)

// TextChannel is the channel type of conversations that were given as texts from outside (reference 7.1).
const TextChannel = "text"

// The limits of a text.
const (
	maxTextMessages = 10_000
	maxTextBytes    = 100_000 // of one message
)

// A Text is a conversation that took place elsewhere, or some more of one.
type Text struct {
	Messages []TextMessage
	Name     string
	Language string            // "" = en-US; of more of a text it does not count: that is in the language of its conversation
	Metadata map[string]string // nil = none, or for more of a text: as it is

	// What is looked for. Trackers is nil unless the request says something about it.
	AllTrackers *bool            // whether the tenant's trackers are used; nil = unless Trackers or Stored are given
	Trackers    []parley.Tracker // used for this text only: name and vocabulary
	Stored      []parley.Number  // trackers of the tenant, used although AllTrackers is not
	NoEntities  bool
	Entities    []parley.Entity // used for this text only
	Similarity  float64         // least of a tracker's hit that counts, from 0.5 (all that are similar at all) to 1 (exact ones only); 0 = 0.5
	Webhook     string          // hears when the job is over
}

// A TextMessage is one thing that was said in a text.
type TextMessage struct {
	Content      string
	UserID, Name string
	Start, End   time.Time // zero = not known
}

// Process stores a text, or with a number more of that one, and begins to look for trackers and entities in it. It returns once the
// text is stored; the job tells how far the rest is. Invalid; NotFound, also if the conversation is none that was given as a text.
func (c *Conversations) Process(ctx context.Context, tenant parley.TenantID, more *parley.Number, t Text) (parley.Number, parley.JobID, error) {
	if err := formText(&t, c.allow); err != nil {
		return 0, parley.JobID{}, err
	}
	job := parley.Job{ID: ident.New[parley.Job](), Tenant: tenant, Kind: parley.JobText, Status: parley.JobScheduled, Total: len(t.Messages), Created: c.now(),
		Request: parley.JobRequest{Name: t.Name, Metadata: t.Metadata, NoEntities: t.NoEntities, Entities: t.Entities, Trackers: t.Trackers, Stored: t.Stored,
			Similarity: t.Similarity, Webhook: t.Webhook, NoTrackers: len(t.Trackers)+len(t.Stored) > 0}}
	if t.AllTrackers != nil {
		job.Request.NoTrackers = !*t.AllTrackers
	}
	conversation, said := parley.Conversation{ID: ident.New[parley.Conversation](), Tenant: tenant}, t.Messages
	err := c.store.Update(ctx, func(tx parley.Tx) error {
		if more != nil {
			in, err := tx.FindInsight(ctx, tenant, *more)
			if err != nil {
				return err
			}
			if conversation, err = tx.Conversation(ctx, tenant, in.Conversation); err != nil {
				return err
			}
			if conversation.State.ChannelType != TextChannel {
				return &parley.Error{Kind: parley.NotFound, Msg: "the conversation was not given as a text, so nothing can be appended to it"}
			}
			t.Language = languageOf(&conversation) // a conversation has one, whatever is appended to it
		}
		for i := range t.Trackers {
			t.Trackers[i].Languages = []string{t.Language}
		}
		redact, err := redactorOf(ctx, tx, tenant, false, nil)
		if err != nil {
			return err
		}
		if redact != nil { // what must not be shown is not stored either
			t.Messages = slices.Clone(said)
			for i := range said {
				t.Messages[i].Content = redact.Text(said[i].Content, t.Language)
			}
		}
		for _, n := range t.Stored {
			if _, err := tx.Trackers().Find(ctx, tenant, n); parley.KindOf(err) == parley.NotFound {
				return invalid("trackers", "%q has the id %s, and there is no such tracker", "trackers", n)
			} else if err != nil {
				return err
			}
		}
		job.Conversation = conversation.ID
		return tx.InsertJob(ctx, job)
	})
	if err != nil {
		return 0, job.ID, fmt.Errorf("process text: %w", err)
	}
	if err := c.append(ctx, conversation, &t, job.ID); err != nil {
		return 0, job.ID, err
	}
	number, err := c.announce(ctx, tenant, conversation.ID, &t, &job)
	return number, job.ID, err
}

// append commits the messages of a text. Another request may append at the same time; the one that comes second is routed again.
func (c *Conversations) append(ctx context.Context, base parley.Conversation, t *Text, job parley.JobID) error {
	for {
		step := textStep(base, t, job, c.now())
		answer := make(chan error, 1)
		if err := c.store.Submit(step, func(_ parley.Committed, err error) { answer <- err }); err != nil {
			return fmt.Errorf("store text: %w", err)
		}
		var err error
		select {
		case err = <-answer:
		case <-ctx.Done():
			return fmt.Errorf("store text: %w", ctx.Err())
		}
		if parley.KindOf(err) != parley.Conflict {
			return err
		}
		if err := c.store.View(ctx, func(tx parley.Tx) (err error) {
			base, err = tx.Conversation(ctx, base.Tenant, base.ID)
			return err
		}); err != nil {
			return err
		}
	}
}

// announce makes the insight of a text at once, so that whoever was told its id finds it. The detector would make the same.
func (c *Conversations) announce(ctx context.Context, tenant parley.TenantID, id parley.ConversationID, t *Text, job *parley.Job) (n parley.Number, err error) {
	err = c.store.Update(ctx, func(tx parley.Tx) error {
		in, err := tx.InsightOf(ctx, tenant, id)
		if err == nil {
			if job.Request.Metadata != nil {
				in.Metadata = job.Request.Metadata
			}
			if job.Request.Name != "" {
				in.Name = job.Request.Name
			}
			n, in.Members = in.Number, membersOf(in.Members, id, t)
			return tx.PutInsight(ctx, &in)
		}
		if parley.KindOf(err) != parley.NotFound {
			return err
		}
		conversation, err := tx.Conversation(ctx, tenant, id)
		if err != nil {
			return err
		}
		messages, err := messagesUpTo(ctx, tx, tenant, id, 0, conversation.Seq)
		if err != nil || len(messages) == 0 {
			return err
		}
		in = insightOf(&conversation, messages, job)
		in.Seq = 0 // nothing was looked at yet
		in.Members = membersOf(nil, id, t)
		if err := tx.PutInsight(ctx, &in); err != nil {
			return err
		}
		n = in.Number
		return nil
	})
	if err != nil {
		return 0, fmt.Errorf("announce text: %w", err)
	}
	return n, nil
}

// textStep is the step that adds a text to a conversation, which is over: nobody answers in it.
func textStep(base parley.Conversation, t *Text, job parley.JobID, now time.Time) *parley.Step {
	c := base
	step := &parley.Step{Conversation: &c, BaseEpoch: base.Epoch, BaseSeq: base.Seq, New: base.Status == ""}
	if step.New {
		step.StateChanged = true
		c.Status, c.Owner, c.Epoch, c.Created, c.Ended = parley.Ended, parley.Owner{Kind: parley.OwnerNone}, 1, now, now
		c.State = parley.ConversationState{ChannelType: TextChannel, Language: t.Language, Parties: []parley.Party{{Role: parley.Customer}}}
	}
	slot := now.Add(-time.Duration(len(t.Messages)) * time.Second) // of one without times; the last ends now
	for i, m := range t.Messages {
		start, end := m.Start, m.End
		if start.IsZero() {
			start = slot.Add(time.Duration(i) * time.Second)
			end = start.Add(time.Second)
		}
		c.Seq++
		body := bodyOf(&m)
		body.Job, body.Duration = job, end.Sub(start).Milliseconds()
		step.Messages = append(step.Messages, parley.Message{ID: ident.New[parley.Message](), Conversation: c.ID, Seq: c.Seq, Type: parley.TypeText,
			Sender: parley.Customer, Created: start.UTC().Truncate(time.Millisecond), Explanation: "given as a text", Body: body})
	}
	c.Touched = now
	return step
}

// bodyOf is who said what in a message of a text.
func bodyOf(m *TextMessage) parley.Body {
	b := parley.Body{Name: m.Name, Content: &parley.Content{Text: m.Content}}
	if m.UserID != "" {
		b.Attributes = []parley.Attribute{{Name: attributeUser, Value: m.UserID}}
	}
	return b
}

// membersOf are members and whoever else speaks in a text.
func membersOf(all []parley.Member, id parley.ConversationID, t *Text) []parley.Member {
	for i := range t.Messages {
		all = joined(all, memberOf(id, "", &parley.Message{Sender: parley.Customer, Body: bodyOf(&t.Messages[i])}))
	}
	return all
}

// attributeUser names the attribute of a text's message that says which person of the other system spoke.
const attributeUser = "userId"

// formText checks a text and puts its messages in order of time, those without one last. allow is what a webhook may be although it is private.
func formText(t *Text, allow []netip.Prefix) error {
	if len(t.Messages) == 0 {
		return invalid("messages", "%q needs at least one message", "messages")
	}
	if len(t.Messages) > maxTextMessages {
		return invalid("messages", "%q may have %d messages, not %d; append the rest with PUT", "messages", maxTextMessages, len(t.Messages))
	}
	for i := range t.Messages {
		m := &t.Messages[i]
		if strings.TrimSpace(m.Content) == "" {
			return invalid("content", "%q is not allowed to be empty", fmt.Sprintf("messages[%d].payload.content", i))
		}
		if len(m.Content) > maxTextBytes {
			return invalid("content", "%q may have %d bytes", fmt.Sprintf("messages[%d].payload.content", i), maxTextBytes)
		}
		if m.Start.IsZero() != m.End.IsZero() || m.End.Before(m.Start) {
			return invalid("duration", "%q needs a startTime and an endTime that is not before it", fmt.Sprintf("messages[%d].duration", i))
		}
		if !m.Start.IsZero() && (datable(m.Start) != m.Start || datable(m.End) != m.End) {
			return invalid("duration", "%q must be between the years %d and %d", fmt.Sprintf("messages[%d].duration", i), firstYear, lastYear)
		}
	}
	slices.SortStableFunc(t.Messages, func(a, b TextMessage) int {
		switch without := a.Start.IsZero(); { // those end now
		case without && b.Start.IsZero():
			return 0
		case without:
			return 1
		case b.Start.IsZero():
			return -1
		}
		return a.Start.Compare(b.Start)
	})
	if t.Similarity != 0 && (t.Similarity < 0.5 || t.Similarity > 1) {
		return invalid("confidenceThreshold", "%q must be from 0.5 to 1.0", "confidenceThreshold")
	}
	if t.Language == "" {
		t.Language = defaultLanguage
	}
	if err := cmp.Or(checkText("name", t.Name), checkMetadata(t.Metadata)); err != nil {
		return err
	}
	if t.Webhook != "" {
		if err := checkWebhook(t.Webhook, &egress.Guard{Allow: allow}); err != nil {
			return err
		}
	}
	return formInline(t)
}

// checkWebhook wants a URL that may be told, as far as it can be seen before anybody connects.
func checkWebhook(address string, guard *egress.Guard) error {
	u, err := url.Parse(address)
	switch {
	case err != nil || u.Hostname() == "" || u.Scheme != "http" && u.Scheme != "https":
		return invalid("webhookUrl", "%q must be an absolute http or https URL", "webhookUrl")
	case u.User != nil:
		return invalid("webhookUrl", "%q must not hold a user name", "webhookUrl")
	case guard.Refuses(u.Hostname()):
		return invalid("webhookUrl", "%q must not be a loopback, private or otherwise not public address, unless --callback-allow lists it", "webhookUrl")
	}
	return nil
}

// formInline checks the trackers and entities that a text brings along, and numbers them: made up, but in order and apart from
// each other. In which language trackers look is known once the conversation is.
func formInline(t *Text) error {
	if n := len(t.Trackers) + len(t.Stored); n > maxTrackers {
		return invalid("trackers", "%q may have %d trackers, not %d", "trackers", maxTrackers, n)
	}
	if n := len(t.Entities); n > maxValues {
		return invalid("entities", "%q may have %d entities, not %d", "entities", maxValues, n)
	}
	t.Trackers, t.Entities = slices.Clone(t.Trackers), slices.Clone(t.Entities)
	for i := range t.Trackers {
		x := &t.Trackers[i]
		x.Number, x.Languages = newNumber(), nil
		if err := formTracker(x); err != nil {
			return named("trackers", err) // without an index: those that are stored are not among them
		}
	}
	for i := range t.Entities {
		x := &t.Entities[i]
		x.Number = newNumber()
		if err := checkInline(fmt.Sprintf("entities[%d]", i), x); err != nil {
			return err
		}
		if err := formEntity(x); err != nil {
			return named("entities", err)
		}
	}
	return nil
}

// checkInline checks what an entity of a text has under other names than those that are kept.
func checkInline(place string, e *parley.Entity) error {
	if err := checkName(place+".customType", strings.TrimSpace(e.Type)); err != nil {
		return err
	}
	for _, v := range e.Values {
		if strings.TrimSpace(v) == "" {
			return invalid("text", "%q is not allowed to be empty", place+".text")
		}
		if err := checkText(place+".text", v); err != nil {
			return err
		}
	}
	return nil
}

// checkMetadata checks metadata of a conversation (reference 5.5).
func checkMetadata(metadata map[string]string) error {
	for name, value := range metadata {
		if name == "" {
			return invalid("metadata", "%q has a key that is empty", "metadata")
		}
		if utf8.RuneCountInString(name) > maxMetadata {
			return invalid("metadata", "%q has a key of more than %d characters", "metadata", maxMetadata)
		}
		if utf8.RuneCountInString(value) > maxMetadata {
			return invalid("metadata", "%q may have %d characters", "metadata."+name, maxMetadata)
		}
		if err := cmp.Or(checkText("metadata", name), checkText("metadata."+name, value)); err != nil {
			return err
		}
	}
	return nil
}

// Job is a job of a tenant.
func (c *Conversations) Job(ctx context.Context, tenant parley.TenantID, id parley.JobID) (j parley.Job, err error) {
	err = c.store.View(ctx, func(tx parley.Tx) (err error) {
		j, err = tx.Job(ctx, tenant, id)
		return err
	})
	return j, err
}
