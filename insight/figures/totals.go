package figures

import (
	"encoding/json"
	"fmt"
	"math/bits"
	"strconv"
	"strings"
	"time"

	"parley"
)

// Totals is what visits add up to besides their [parley.Count]. They can be added up themselves, in any order. Not safe for concurrent use.
type Totals struct {
	User  int64 `json:"u,omitempty"` // messages, by who said them
	Bot   int64 `json:"b,omitempty"`
	Agent int64 `json:"a,omitempty"`

	Engaged           int64                     `json:"e,omitempty"` // the customer said something
	Ended             int64                     `json:"d,omitempty"`
	EngagedEnded      int64                     `json:"ed,omitempty"`
	Contained         int64                     `json:"c,omitempty"`  // of those: never handed over
	HandedOver        int64                     `json:"h,omitempty"`  // people were asked for
	EngagedHandedOver int64                     `json:"eh,omitempty"` // likewise, and the customer said something
	Abandoned         int64                     `json:"ab,omitempty"` // the customer left before an agent wrote
	Resolved          int64                     `json:"r,omitempty"`  // bot or agent ended it
	Endings           tally[parley.EndingKind]  `json:"en,omitempty"`
	Turns             int64                     `json:"t,omitempty"`
	Missed            int64                     `json:"m,omitempty"`
	Failures          tally[parley.TurnFailure] `json:"f,omitempty"`
	Intents           tally[string]             `json:"i,omitempty"` // turns
	Edges             tally[Edge]               `json:"g,omitempty"`
	Said              tally[string]             `json:"s,omitempty"`  // messages by the dialog in which they were said
	Visited           tally[string]             `json:"vs,omitempty"` // visits that came by a dialog
	Helped            int64                     `json:"hl,omitempty"`
	Unhelpful         int64                     `json:"uh,omitempty"`
	Asked             int64                     `json:"as,omitempty"` // surveys that were shown
	Rated             int64                     `json:"ra,omitempty"` // and answered
	Satisfied         int64                     `json:"sa,omitempty"` // with 4 or 5
	RatedSum          int64                     `json:"rs,omitempty"`
	Quarters          [4]int64                  `json:"q"` // visits by the quarter of an hour in which they began

	// Least is how many visits of an hour's cell have the least messages, and the least seconds; nothing of what is added up.
	Least [2]int64 `json:"lm,omitzero"`

	BotReply   Quantiles `json:"qb,omitzero"` // milliseconds
	AgentReply Quantiles `json:"qa,omitzero"`
	Resolution Quantiles `json:"qr,omitzero"`
	Took       Quantiles `json:"qt,omitzero"` // of turns
	Duration   Quantiles `json:"qd,omitzero"`
	Length     Quantiles `json:"ql,omitzero"` // messages of a visit
	People     Distinct  `json:"p,omitzero"`
}

// A tally counts things by name; nil = there were none.
type tally[K comparable] map[K]int64

func (t *tally[K]) add(name K, n int64) {
	if *t == nil {
		*t = tally[K]{}
	}
	if (*t)[name] += n; (*t)[name] == 0 {
		delete(*t, name)
	}
}

func (t *tally[K]) merge(o tally[K]) {
	for name, n := range o {
		t.add(name, n)
	}
}

// An Edge is a transition at a depth. Depths from [MaxDepth] on are counted together.
type Edge struct {
	Depth    int
	From, To parley.FlowPlace
}

// MaxDepth bounds the depths that are counted apart.
const MaxDepth = 50

// MarshalText makes it a member's name in the record.
func (e Edge) MarshalText() ([]byte, error) {
	return []byte(strings.Join([]string{strconv.Itoa(e.Depth), string(e.From.Type), e.From.ID, string(e.To.Type), e.To.ID}, "\x1f")), nil
}

// UnmarshalText reads what MarshalText wrote.
func (e *Edge) UnmarshalText(text []byte) error {
	p := strings.Split(string(text), "\x1f")
	if len(p) != 5 {
		return fmt.Errorf("an edge has five parts, not %d", len(p))
	}
	depth, err := strconv.Atoi(p[0])
	*e = Edge{Depth: depth, From: parley.FlowPlace{Type: parley.PlaceType(p[1]), ID: p[2]}, To: parley.FlowPlace{Type: parley.PlaceType(p[3]), ID: p[4]}}
	return err
}

// Add counts a visit.
func (t *Totals) Add(v *parley.Visit) {
	t.count(v, 1)
	if v.Person != 0 {
		t.People.add(mix(v.Person))
	}
}

// take counts a visit no more that was counted. Who the customer was stays among the people.
func (t *Totals) take(v *parley.Visit) { t.count(v, -1) }

// count counts a visit so many times.
func (t *Totals) count(v *parley.Visit, times int64) {
	f := &v.Facts
	add := func(n *int64, facts int) { *n += times * int64(facts) }
	add(&t.User, f.User)
	add(&t.Bot, f.Bot)
	add(&t.Agent, f.Agent)
	engaged, ended, handed := f.User > 0, f.Ended > 0, f.HandedOver > 0
	count := func(n *int64, yes bool) {
		if yes {
			*n += times
		}
	}
	count(&t.Engaged, engaged)
	count(&t.Ended, ended)
	count(&t.EngagedEnded, engaged && ended)
	count(&t.Contained, engaged && ended && !handed)
	count(&t.HandedOver, handed)
	count(&t.EngagedHandedOver, engaged && handed)
	left := f.Ending == parley.EndingByUser || f.Ending == parley.EndingBySilence
	count(&t.Abandoned, handed && f.FirstAgent == 0 && left)
	resolved := f.Ending == parley.EndingByBot || f.Ending == parley.EndingByAgent
	count(&t.Resolved, resolved)
	if ended {
		t.Endings.add(f.Ending, times)
	}
	add(&t.Turns, f.Turns)
	add(&t.Missed, f.Missed)
	for why, n := range f.Failures {
		t.Failures.add(why, times*int64(n))
	}
	for name, n := range f.Intents {
		t.Intents.add(name, times*int64(n))
	}
	seen := map[string]bool{}
	for depth, s := range f.Steps {
		t.Edges.add(Edge{Depth: min(depth, MaxDepth), From: s.From, To: s.To}, times)
		if s.To.Type == parley.PlaceDialog && !seen[s.To.ID] {
			seen[s.To.ID] = true
			t.Visited.add(s.To.ID, times)
		}
	}
	for name, n := range f.Said {
		t.Said.add(name, times*int64(n))
	}
	add(&t.Helped, f.Helped)
	add(&t.Unhelpful, f.Unhelpful)
	add(&t.Asked, f.Asked)
	count(&t.Rated, f.Rated > 0)
	count(&t.Satisfied, f.Rated >= 4)
	add(&t.RatedSum, f.Rated)
	t.Quarters[v.Started.Minute()/15] += times

	since := func(q *Quantiles, from, to int64) {
		if from > 0 && to > 0 {
			q.add(to-from, times)
		}
	}
	started := v.Started.UnixMilli()
	since(&t.BotReply, f.FirstUser, f.FirstBot)
	if handed {
		since(&t.AgentReply, f.HandedOver, f.FirstAgent)
	} else {
		since(&t.AgentReply, f.FirstUser, f.FirstAgent)
	}
	if resolved {
		since(&t.Resolution, started, f.Ended)
	}
	for _, took := range f.Took {
		t.Took.add(took, times)
	}
	t.Duration.add(v.Last.Sub(v.Started).Milliseconds(), times)
	t.Length.add(int64(f.Messages()), times)
}

// mix spreads a hash anew: sketches look at its first bits.
func mix(hash int64) int64 { return int64(bits.RotateLeft64(uint64(hash)*0x9E3779B97F4A7C15, 32)) }

// Merge adds other totals.
func (t *Totals) Merge(o *Totals) error {
	for _, p := range [][2]*int64{{&t.User, &o.User}, {&t.Bot, &o.Bot}, {&t.Agent, &o.Agent}, {&t.Engaged, &o.Engaged}, {&t.Ended, &o.Ended},
		{&t.EngagedEnded, &o.EngagedEnded}, {&t.Contained, &o.Contained}, {&t.HandedOver, &o.HandedOver}, {&t.EngagedHandedOver, &o.EngagedHandedOver},
		{&t.Abandoned, &o.Abandoned}, {&t.Resolved, &o.Resolved}, {&t.Turns, &o.Turns}, {&t.Missed, &o.Missed}, {&t.Helped, &o.Helped}, {&t.Unhelpful, &o.Unhelpful},
		{&t.Asked, &o.Asked}, {&t.Rated, &o.Rated}, {&t.Satisfied, &o.Satisfied}, {&t.RatedSum, &o.RatedSum}, {&t.Quarters[0], &o.Quarters[0]},
		{&t.Quarters[1], &o.Quarters[1]}, {&t.Quarters[2], &o.Quarters[2]}, {&t.Quarters[3], &o.Quarters[3]}} {
		*p[0] += *p[1]
	}
	t.Endings.merge(o.Endings)
	t.Failures.merge(o.Failures)
	t.Intents.merge(o.Intents)
	t.Edges.merge(o.Edges)
	t.Said.merge(o.Said)
	t.Visited.merge(o.Visited)
	for _, q := range [][2]*Quantiles{{&t.BotReply, &o.BotReply}, {&t.AgentReply, &o.AgentReply}, {&t.Resolution, &o.Resolution}, {&t.Took, &o.Took},
		{&t.Duration, &o.Duration}, {&t.Length, &o.Length}} {
		if err := q[0].merge(q[1]); err != nil {
			return fmt.Errorf("add up quantiles: %w", err)
		}
	}
	if err := t.People.merge(&o.People); err != nil {
		return fmt.Errorf("add up people: %w", err)
	}
	return nil
}

// encode and decode write and read totals for the record.
func (t *Totals) encode() ([]byte, error) { return json.Marshal(t) }

func decode(stored []byte) (t Totals, err error) {
	if err := json.Unmarshal(stored, &t); err != nil {
		return t, fmt.Errorf("read totals: %w", err)
	}
	return t, nil
}

// addTo counts a visit in what the published operations add up.
func addTo(c *parley.Count, v *parley.Visit) {
	spread(&c.Messages, c.Visits, int64(v.Facts.Messages()))
	spread(&c.Seconds, c.Visits, seconds(v))
	c.Visits++
}

// seconds are the whole ones from the first to the last message of a visit.
func seconds(v *parley.Visit) int64 { return int64(v.Last.Sub(v.Started) / time.Second) }

// spread adds a value to a spread of n.
func spread(s *parley.Spread, n, value int64) {
	merge(s, n, parley.Spread{Sum: value, Min: value, Max: value})
}

// merge adds a spread to one of n values.
func merge(s *parley.Spread, n int64, o parley.Spread) {
	s.Sum += o.Sum
	if n == 0 {
		s.Min, s.Max = o.Min, o.Max
		return
	}
	s.Min, s.Max = min(s.Min, o.Min), max(s.Max, o.Max)
}

// mergeCount adds up counts.
func mergeCount(c *parley.Count, o *parley.Count) {
	if o.Visits == 0 {
		return
	}
	merge(&c.Messages, c.Visits, o.Messages)
	merge(&c.Seconds, c.Visits, o.Seconds)
	c.Visits += o.Visits
}
