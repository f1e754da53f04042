package figures

import (
	"cmp"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/cespare/xxhash/v2"

	"parley"
)

// Fold counts a conversation on: it is what its visits are, from the last one that was counted, or from the beginning if the story is
// whole. silence is [parley.FigureSettings.SilenceOf] the conversation. Whether a conversation is counted at once or piece by piece, what
// comes out is the same: messages go by their Seq, and a turn that is over stands before the first message that was stored after its end.
// (Of turns that were over before the record noted that, it is the first later message that is not older than the end.)
func Fold(h *parley.Story, silence time.Duration, now time.Time) []parley.Visit {
	if h.Forgotten {
		return nil
	}
	f := fold{h: h, silence: silence}
	if n := len(h.Visits); n > 0 && !h.Whole {
		f.visits = append(f.visits, copyVisit(&h.Visits[n-1].Visit))
		f.seq, f.turn = f.visits[0].Facts.ReadSeq, f.visits[0].Facts.ReadTurn
	}
	if h.State.Import.ID != "" {
		f.imported()
		return f.visits
	}
	turns := over(h.Turns)
	for i := range h.Messages {
		m := &h.Messages[i]
		for len(turns) > 0 && turns[0].before(m) {
			f.turnOver(&turns[0])
			turns = turns[1:]
		}
		f.message(m)
	}
	for i := range turns {
		f.turnOver(&turns[i])
	}
	if v := f.last(); v != nil {
		v.Facts.ReadSeq, v.Facts.ReadTurn = f.seq, f.turn
		if f.open() && !v.Closes.IsZero() && !v.Closes.After(now) {
			f.close()
		}
	}
	if h.Whole {
		f.opinions()
	}
	return f.visits
}

// A fold is the work on one conversation.
type fold struct {
	h         *parley.Story
	silence   time.Duration
	visits    []parley.Visit // the last one is being counted
	seq, turn int64          // how far the conversation was read

	// Of an imported conversation: what the customer said last was understood as.
	intent   string
	intentAt int64
}

// A turnAt is a turn with when it counts: no turn counts before those that were asked before it.
type turnAt struct {
	*parley.Turn
	at    time.Time
	after int64 // Seq of the message after which it counts; 0 = not known
}

// before says whether the turn counts before a message, which is none of its own.
func (t *turnAt) before(m *parley.SaidMessage) bool {
	if t.after > 0 {
		return t.after < m.Seq
	}
	return max(t.Seq, t.Last) < m.Seq && !t.at.After(m.Created)
}

// over are the turns up to the first one that is not over.
func over(turns []parley.Turn) (all []turnAt) {
	var at time.Time
	var after int64
	for i := range turns {
		t := &turns[i]
		if t.Closed.IsZero() {
			break
		}
		if t.Closed.After(at) {
			at = t.Closed
		}
		known := t.ClosedSeq
		if known > 0 {
			known = max(known, after)
			after = known
		}
		all = append(all, turnAt{t, at, known})
	}
	return all
}

func (f *fold) last() *parley.Visit {
	if len(f.visits) == 0 {
		return nil
	}
	return &f.visits[len(f.visits)-1]
}

// open says whether there is a visit that is not over.
func (f *fold) open() bool { v := f.last(); return v != nil && v.Facts.Ended == 0 }

// counts says whether a message is one for figures: nothing that the hub says, no signs and notes, no bare codes (reference/analytics.md 3).
func counts(m *parley.SaidMessage) bool {
	if m.Sender == parley.System || m.NoText {
		return false
	}
	_, rich := m.Type.Rich()
	return rich || m.Type == parley.TypeText || m.Type == parley.TypePagePush
}

func (f *fold) message(m *parley.SaidMessage) {
	f.seq = m.Seq
	f.passed(m.Created)
	switch {
	case counts(m):
		f.said(m)
	case m.HandOver && f.open():
		f.handedOver(m.Created, parley.Transition{Question: m.Seq})
	case m.Type == parley.TypeConversationEnd && f.open():
		f.over(endingOf(m), endOf(m, f.last()), m.Created, m.Seq)
	case m.Type == parley.TypeConversationEnd && f.closed():
		steps := f.last().Facts.Steps
		steps[len(steps)-1].Question = m.Seq // now nothing reopens it
	}
}

// said counts a message, in a new visit if the thread was silent for too long.
func (f *fold) said(m *parley.SaidMessage) {
	if f.closed() && m.Created.Sub(f.last().Last) <= f.silence {
		f.reopen()
	}
	if !f.open() {
		f.begin(m)
	}
	v, at := f.last(), m.Created.UnixMilli()
	v.LastSeq = m.Seq
	if m.Created.After(v.Last) {
		v.Last = m.Created
	}
	if f.silence > 0 {
		v.Closes = v.Last.Add(f.silence)
	}
	place, facts := 0, &v.Facts
	switch {
	case m.Sender == parley.Customer:
		facts.User++
		if facts.FirstUser == 0 {
			facts.FirstUser = at
		}
	case m.Sender.IsBot():
		place = 1
		facts.Bot++
		if facts.FirstBot == 0 && facts.FirstUser != 0 {
			facts.FirstBot = at
		}
	default:
		place = 2
		facts.Agent++
		if facts.FirstAgent == 0 && (facts.HandedOver != 0 || facts.FirstUser != 0) {
			facts.FirstAgent = at
		}
	}
	hour := m.Created.Unix() / 3600
	in := facts.Hours[hour]
	in[place]++
	facts.Hours[hour] = in
	if place == 1 {
		if f.answersTurn(m) {
			return // it counts with its turn
		}
		for _, id := range f.dialogs(m) {
			f.move(parley.FlowPlace{ID: id, Type: parley.PlaceDialog}, m.Created, parley.Transition{Question: f.intentAt, First: m.Seq, Last: m.Seq})
		}
	}
	f.saidIn(1)
}

// The steps of bots that tell none, and of those that did not understand (reference/analytics.md 5).
const (
	defaultStep  = "default"
	fallbackStep = "FALLBACK"
)

// dialogs are where something that a bot says outside turns belongs: outside imported conversations nobody knows.
func (f *fold) dialogs(m *parley.SaidMessage) (ids []string) {
	for _, s := range m.Steps {
		ids = append(ids, s.ID)
	}
	if len(ids) == 0 {
		ids = []string{cmp.Or(f.intent, defaultStep)}
	}
	return ids
}

// answersTurn says whether what a bot says belongs to a turn.
func (f *fold) answersTurn(m *parley.SaidMessage) bool {
	if m.Question > 0 {
		return true
	}
	within := func(first, last int64) bool { return first > 0 && first <= m.Seq && m.Seq <= last }
	return slices.ContainsFunc(f.h.Turns, func(t parley.Turn) bool { return within(t.First, t.Last) }) ||
		slices.ContainsFunc(f.h.State.Bot.Open, func(t parley.OpenTurn) bool { return within(t.First, t.Last) })
}

// begin begins a visit with its first message.
func (f *fold) begin(m *parley.SaidMessage) {
	part := 0
	if before := f.last(); before != nil {
		part = before.Part + 1
		before.Facts.ReadSeq, before.Facts.ReadTurn = m.Seq-1, f.turn
	}
	f.visits = append(f.visits, parley.Visit{Conversation: f.h.Key, Part: part, Dimensions: dimensionsOf(f.h, m), FirstSeq: m.Seq, LastSeq: m.Seq,
		Started: m.Created, Last: m.Created, Person: personOf(f.h), Facts: parley.VisitFacts{Hours: map[int64][3]int{}}})
}

// dimensionsOf is what a visit is counted by that begins with a message.
func dimensionsOf(h *parley.Story, m *parley.SaidMessage) parley.Dimensions {
	s := &h.State
	d := parley.Dimensions{Tenant: h.Tenant, Channel: strings.ToLower(s.ChannelType), Language: s.Language, Campaign: s.Campaign.ID, CampaignSource: s.Campaign.Source,
		Owner: parley.OwnerQueue}
	switch {
	case m.Sender.IsBot():
		d.Owner, d.Bot = parley.OwnerBot, m.Application
	case m.Sender.IsAgent():
		d.Owner = parley.OwnerAgent
	default:
		for slot, p := range s.Parties {
			if m.To&(1<<slot) == 0 {
				continue
			}
			if p.Role.IsBot() {
				d.Owner, d.Bot = parley.OwnerBot, p.Application
				break
			}
			if p.Role.IsAgent() {
				d.Owner = parley.OwnerAgent
				break
			}
		}
	}
	if !d.Bot.IsZero() {
		d.Version = parley.VersionLive
		if s.Bot.Test {
			d.Version = parley.VersionDraft
		}
	}
	return d
}

// personOf tells customers apart, without telling who they are.
func personOf(h *parley.Story) int64 {
	c, ok := h.State.Contact()
	if !ok || c.Address == "" {
		return 0
	}
	return int64(xxhash.Sum64String(h.Tenant.String() + "\x00" + strings.ToLower(c.Address)))
}

// turnOver counts a turn that is over.
func (f *fold) turnOver(t *turnAt) {
	f.turn = t.Seq
	f.passed(t.at)
	if !f.open() || max(t.Seq, t.Last) < f.last().FirstSeq {
		return
	}
	facts := &f.last().Facts
	if t.Status == parley.TurnAnswered || t.Status == parley.TurnFailed {
		facts.Turns++
		facts.Took = append(facts.Took, t.Closed.Sub(t.Opened).Milliseconds())
	}
	if t.Status == parley.TurnFailed {
		if facts.Failures == nil {
			facts.Failures = map[parley.TurnFailure]int{}
		}
		facts.Failures[t.Failure]++
	}
	var dialogs []string
	nlp := t.Result.NLP
	if nlp != nil && nlp.Type == parley.NLPIntent && nlp.Name != "" {
		f.understood(nlp.Name)
	}
	switch {
	case t.Result.Fallback:
		facts.Missed++
		dialogs = append(dialogs, fallbackStep)
	case len(t.Result.Steps) > 0:
		for _, s := range t.Result.Steps {
			dialogs = append(dialogs, s.ID)
		}
	case nlp != nil && nlp.Name != "":
		dialogs = append(dialogs, nlp.Name)
	case t.First > 0:
		dialogs = append(dialogs, defaultStep)
	}
	for _, d := range dialogs {
		f.move(parley.FlowPlace{ID: d, Type: parley.PlaceDialog}, t.at, parley.Transition{Question: t.Seq, First: t.First, Last: t.Last})
	}
	if t.First > 0 {
		f.saidIn(int(t.Last - t.First + 1))
	}
}

// understood counts an intent.
func (f *fold) understood(name string) {
	facts := &f.last().Facts
	if facts.Intents == nil {
		facts.Intents = map[string]int{}
	}
	facts.Intents[name]++
}

// place is where the visit is.
func (f *fold) place() parley.FlowPlace {
	if steps := f.last().Facts.Steps; len(steps) > 0 {
		return steps[len(steps)-1].To
	}
	return parley.FlowPlace{Type: parley.PlaceStart}
}

// move takes the visit to a place, if it is not there.
func (f *fold) move(to parley.FlowPlace, at time.Time, why parley.Transition) {
	from := f.place()
	if from == to {
		return
	}
	why.From, why.To, why.At = from, to, at.UnixMilli()
	facts := &f.last().Facts
	facts.Steps = append(facts.Steps, why)
}

// saidIn notes that so many messages were said where the visit is.
func (f *fold) saidIn(n int) {
	place := f.place()
	if place.Type != parley.PlaceDialog {
		return
	}
	facts := &f.last().Facts
	if facts.Said == nil {
		facts.Said = map[string]int{}
	}
	facts.Said[place.ID] += n
}

// handedOver is when people were asked for; from then on their time counts.
func (f *fold) handedOver(at time.Time, why parley.Transition) {
	if facts := &f.last().Facts; facts.HandedOver == 0 {
		facts.HandedOver, facts.FirstAgent = at.UnixMilli(), 0
	}
	f.move(parley.FlowPlace{Type: parley.PlaceHandover}, at, why)
}

// endingOf is how a message ends a conversation.
func endingOf(m *parley.SaidMessage) parley.EndingKind {
	switch {
	case m.Idle > 0:
		return parley.EndingBySilence
	case m.Sender.IsBot():
		return parley.EndingByBot
	case m.Sender.IsAgent():
		return parley.EndingByAgent
	case m.Sender == parley.Customer:
		return parley.EndingByUser
	default:
		return parley.EndingByHub
	}
}

// endOf is when it does: of silence that is when it had lasted for too long, however late the hub noticed.
func endOf(m *parley.SaidMessage, v *parley.Visit) time.Time {
	if m.Idle > 0 {
		return v.Last.Add(m.Idle)
	}
	return m.Created
}

// over ends the visit, at a time that was noticed at another.
func (f *fold) over(kind parley.EndingKind, at, noticed time.Time, seq int64) {
	v := f.last()
	v.Facts.Ended, v.Facts.Ending, v.Closes = noticed.UnixMilli(), kind, time.Time{}
	to := parley.FlowPlace{Type: parley.PlaceEnd}
	if kind == parley.EndingBySilence {
		to.Type = parley.PlaceDropoff
	}
	if steps := v.Facts.Steps; len(steps) > 0 && at.UnixMilli() < steps[len(steps)-1].At { // nothing goes back in time
		at = time.UnixMilli(steps[len(steps)-1].At)
	}
	f.move(to, at, parley.Transition{Question: seq})
}

// close ends a visit in whose thread nothing was said for too long.
func (f *fold) close() {
	v := f.last()
	at := v.Last.Add(f.silence)
	v.Facts.Ended, v.Facts.Ending, v.Closes = at.UnixMilli(), parley.EndingBySilence, time.Time{}
	f.move(parley.FlowPlace{Type: parley.PlaceDropoff}, at, parley.Transition{})
}

// passed closes the visit if by then nothing was said for too long.
func (f *fold) passed(at time.Time) {
	if f.silence > 0 && f.open() && at.Sub(f.last().Last) > f.silence {
		f.close()
	}
}

// closed says whether the last visit was closed for silence, and nothing else ended it since.
func (f *fold) closed() bool {
	if f.last() == nil {
		return false
	}
	steps := f.last().Facts.Steps
	return f.last().Facts.Ending == parley.EndingBySilence && len(steps) > 0 && steps[len(steps)-1].Question == 0
}

// reopen takes that back: what breaks the silence was said in time, and stored late.
func (f *fold) reopen() {
	facts := &f.last().Facts
	facts.Ended, facts.Ending, facts.Steps = 0, "", facts.Steps[:len(facts.Steps)-1]
}

// opinions adds what customers thought to the visits in which they were asked.
func (f *fold) opinions() {
	for _, r := range f.h.Ratings {
		i := slices.IndexFunc(f.visits, func(v parley.Visit) bool { return v.FirstSeq <= r.Seq && r.Seq <= v.LastSeq })
		switch {
		case i < 0:
		case r.Helpful:
			f.visits[i].Facts.Helped++
		default:
			f.visits[i].Facts.Unhelpful++
		}
	}
	if v := f.last(); v != nil && f.h.Survey != nil {
		v.Facts.Asked = 1
		if f.h.Survey.Answered {
			v.Facts.Rated = f.h.Survey.Evaluation
		}
	}
}

// copyVisit is a visit that can be changed while the other one stays as it is.
func copyVisit(v *parley.Visit) parley.Visit {
	c := *v
	facts := &c.Facts
	facts.Took, facts.Steps = slices.Clone(facts.Took), slices.Clone(facts.Steps)
	facts.Failures, facts.Intents, facts.Said, facts.Hours = maps.Clone(facts.Failures), maps.Clone(facts.Intents), maps.Clone(facts.Said), maps.Clone(facts.Hours)
	if facts.Hours == nil {
		facts.Hours = map[int64][3]int{}
	}
	return c
}
