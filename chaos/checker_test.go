package chaos

import (
	"slices"
	"strings"
	"testing"
	"time"

	"parley"
	"parley/ident"
)

// innocent is the evidence of a short conversation in which nothing is wrong: a customer says three things over a session
// that is cut once, the bot gets them by callback, one of them twice, and answers the first over REST.
func innocent() Evidence {
	id := ident.New[parley.Conversation]()
	customer, bot := int64(1), int64(2)
	record := Recorded{Conversation: parley.Conversation{ID: id, Seq: 4, Status: parley.Open, Owner: parley.Owner{Kind: parley.OwnerBot},
		State: parley.ConversationState{Parties: []parley.Party{{Role: parley.Customer}, {Role: parley.CustomBot, Callback: true}}}}}
	for i, m := range []struct {
		name   string
		sender parley.Role
		to     int64
	}{{"m1", parley.Customer, bot}, {"re-m1", parley.CustomBot, customer}, {"m2", parley.Customer, bot}, {"m3", parley.Customer, bot}} {
		record.Messages = append(record.Messages, parley.Message{ID: ident.New[parley.Message](), Conversation: id, Seq: int64(i + 1), Type: parley.TypeText,
			Sender: m.sender, To: m.to, Body: parley.Body{MessageID: m.name}})
	}
	at := func(seq int) string { return record.Messages[seq-1].ID.String() }
	c := id.String()
	arrival := func(seq int) Arrival {
		return Arrival{Delivery: "d" + at(seq), Role: "custom_bot", Conversation: c, Message: at(seq), At: time.Unix(int64(seq), 0)}
	}
	return Evidence{
		Record: []Recorded{record},
		Posts: []Post{
			{Program: "anna", MessageID: "m1", Sender: parley.Customer, Conversation: c, ID: at(1), Seq: 1, Sent: 1, Acked: 2, Line: 1},
			{Program: "bot", MessageID: "re-m1", Sender: parley.CustomBot, Conversation: c, ID: at(2), Sent: 3, Acked: 4},
			{Program: "anna", MessageID: "m2", Sender: parley.Customer, Conversation: c, ID: at(3), Seq: 3, Sent: 5, Acked: 7, Line: 2},
			{Program: "anna", MessageID: "m3", Sender: parley.Customer, Conversation: c, ID: at(4), Seq: 4, Sent: 6, Acked: 8, Line: 2},
		},
		Views: []View{{Name: "anna", Conversation: c, Role: parley.Customer, Sights: []Sight{
			{Seq: 1, ID: at(1), Prev: -1}, {Resumed: true, Prev: 1, Seq: 1}, {Seq: 2, ID: at(2), Prev: 1}, {Seq: 3, ID: at(3), Prev: -1}, {Seq: 4, ID: at(4), Prev: -1}}}},
		Arrivals: []Arrival{arrival(1), arrival(3), arrival(3), arrival(4), arrival(1)},
	}
}

// Each violation, planted into evidence that is otherwise innocent, is found, and counted as what it is.
func TestCheckFindsWhatIsPlanted(t *testing.T) {
	if v := Check(innocent()); v.Broken() || v.Acked != 4 || v.Arrivals != 5 {
		t.Fatalf("the innocent evidence: %+v", v)
	}
	stranger := ident.New[parley.Message]().String()
	for name, test := range map[string]struct {
		plant func(*Evidence)
		count func(*Verdict) int
		says  string
	}{
		"an acknowledged message is gone": {func(e *Evidence) {
			c := &e.Record[0]
			c.Messages, c.Seq = c.Messages[:3], 3
			e.Views[0].Sights, e.Arrivals = e.Views[0].Sights[:4], e.Arrivals[:3]
		}, lost, "m3 was acknowledged"},
		"the whole conversation is gone":     {func(e *Evidence) { e.Record = nil }, lost, "not in the record"},
		"acknowledged under another id":      {func(e *Evidence) { e.Posts[0].ID = stranger }, lost, "m1 was acknowledged"},
		"acknowledged at another place":      {func(e *Evidence) { e.Posts[0].Seq = 2 }, lost, "m1 was acknowledged"},
		"a hole in the record":               {func(e *Evidence) { e.Record[0].Messages = slices.Delete(e.Record[0].Messages, 1, 2) }, lost, "seq is 4"},
		"one id is stored twice":             {func(e *Evidence) { e.Record[0].Messages[3].ID = e.Record[0].Messages[2].ID }, duplicated, "message id"},
		"a seq is left out in the record":    {func(e *Evidence) { e.Record[0].Messages[3].Seq = 5 }, lost, "message 4 has seq 5"},
		"addressed to nobody":                {func(e *Evidence) { e.Record[0].Messages[3].To |= 1 << 7 }, lost, "a slot nobody has"},
		"open, and nobody has the turn":      {func(e *Evidence) { e.Record[0].Owner.Kind = parley.OwnerNone }, lost, "open, but owned by"},
		"ended, and somebody has the turn":   {func(e *Evidence) { e.Record[0].Status, e.Record[0].Ended = parley.Ended, time.Unix(9, 0) }, lost, "but owned by"},
		"ended at no time":                   {func(e *Evidence) { e.Record[0].Status, e.Record[0].Owner.Kind = parley.Ended, parley.OwnerNone }, lost, "ended at"},
		"a session saw what is not stored":   {func(e *Evidence) { e.Views[0].Sights[4].ID = stranger }, lost, "anna saw"},
		"a session saw a whole conversation": {func(e *Evidence) { e.Record, e.Posts, e.Arrivals = nil, nil, nil }, lost, "anna saw conversation"},
		"a receiver got what is not stored":  {func(e *Evidence) { e.Arrivals[0].Message = stranger }, lost, "custom_bot got"},
		"sent after an ack, stored before":   {func(e *Evidence) { e.Posts[2].Sent, e.Posts[3].Sent, e.Posts[3].Acked = 8, 5, 6 }, reordered, "m2 of conversation"},
		"overtaken on one connection":        {func(e *Evidence) { e.Posts[3].Sent, e.Posts[2].Sent = 5, 6 }, reordered, "m3 at 4 was sent before m2"},
		"a session saw two the other way":    {func(e *Evidence) { s := e.Views[0].Sights; s[3], s[4] = s[4], s[3] }, reordered, "anna saw 3"},
		"callbacks came the other way":       {func(e *Evidence) { e.Arrivals[1], e.Arrivals[3] = e.Arrivals[3], e.Arrivals[1] }, reordered, "custom_bot got 3"},
		"one messageId is stored twice":      {func(e *Evidence) { e.Record[0].Messages[3].Body.MessageID = "m2"; e.Posts = e.Posts[:3] }, duplicated, "customer/m2 twice"},
		"one customer has two conversations": {func(e *Evidence) { e.Record[0].Siblings = 1 }, duplicated, "its customer has 1 more"},
		"a session saw one twice":            {func(e *Evidence) { v := &e.Views[0]; v.Sights = append(v.Sights, v.Sights[4]) }, duplicated, "anna saw 4"},
		"a repeat under another delivery id": {func(e *Evidence) { e.Arrivals[2].Delivery = "another" }, duplicated, "as delivery"},
		"one delivery id for two messages":   {func(e *Evidence) { e.Arrivals[3].Delivery = e.Arrivals[0].Delivery }, duplicated, "under one delivery id"},
		"a callback was never sent":          {func(e *Evidence) { e.Arrivals = e.Arrivals[:3] }, unsent, "never got 4"},
		"a callback was given up":            {func(e *Evidence) { e.Record[0].States.Dead = map[int64]string{3: "refused"} }, unsent, "was given up"},
		"a session never saw a message":      {func(e *Evidence) { e.Views[0].Sights = e.Views[0].Sights[:4] }, missed, "anna never saw 4"},
		"a message follows one nobody saw":   {func(e *Evidence) { e.Views[0].Sights[2].Prev = 0 }, missed, "follows 0"},
		"a resume continues elsewhere":       {func(e *Evidence) { e.Views[0].Sights[1].Seq = 0; e.Views[0].Sights[2].Prev = 0 }, missed, "was told 0"},
		"a message was refused":              {func(e *Evidence) { e.Posts[0].Refused = "400" }, refused, "m1 of customer was refused"},
		"a repeat was answered with another": {func(e *Evidence) { e.Faults = []string{"answered differently"} }, refused, "answered differently"},
	} {
		t.Run(name, func(t *testing.T) {
			e := innocent()
			test.plant(&e)
			v := Check(e)
			if test.count(&v) == 0 || !strings.Contains(strings.Join(v.Details, "\n"), test.says) {
				t.Errorf("found %+v, want %q", v, test.says)
			}
		})
	}
}

// After kills a callback may come again that was on its way then, and no other.
func TestCheckKnowsWhatMayComeAgain(t *testing.T) {
	at := func(s float64) time.Time { return time.Unix(1000, 0).Add(time.Duration(s * float64(time.Second))) }
	for name, test := range map[string]struct {
		came, kills []float64
		repeats     int
	}{
		"on its way":                    {[]float64{1, 9}, []float64{2}, 0},
		"twice, after a kill each":      {[]float64{1, 9, 17}, []float64{2, 10}, 0},
		"nobody was killed":             {[]float64{1, 9}, nil, 1},
		"long before the kill":          {[]float64{1, 9}, []float64{8}, 1},
		"before the kill, and after it": {[]float64{1, 2, 9}, []float64{2.5}, 1},
		"after the kill":                {[]float64{3, 9}, []float64{2}, 1},
	} {
		e := innocent()
		e.Arrivals = []Arrival{e.Arrivals[0], e.Arrivals[1], e.Arrivals[3]}
		again := e.Arrivals[2]
		e.Arrivals = e.Arrivals[:2]
		for _, s := range test.came {
			again.At = at(s)
			e.Arrivals = append(e.Arrivals, again)
		}
		for _, s := range test.kills {
			e.Kills = append(e.Kills, at(s))
		}
		if v := Check(e); v.Broken() {
			t.Errorf("%s, where it does not matter: %v", name, v.Details)
		}
		e.Killed = true
		if v := Check(e); v.Duplicated != test.repeats || v.Violations() != test.repeats {
			t.Errorf("%s: %d repeats, %v; want %d", name, v.Duplicated, v.Details, test.repeats)
		}
	}
}

// Times that were promised and not kept are told, each by its name; one session in a hundred may be later.
func TestLateIsTold(t *testing.T) {
	many := func(n int, d time.Duration, odd time.Duration) []time.Duration {
		return append(slices.Repeat([]time.Duration{d}, n), odd)
	}
	for name, test := range map[string]struct {
		report Report
		want   string
	}{
		"nothing was measured":       {Report{}, ""},
		"everything in time":         {Report{Starts: many(1, time.Second, 3*time.Second), Resumes: many(1, 0, 5*time.Second), Lanes: many(1, 0, 10*time.Second)}, ""},
		"a hub started late":         {Report{Starts: many(50, time.Second, 3001*time.Millisecond)}, "ready after a crash: 3.001s, promised are 3s"},
		"one session of 100":         {Report{Resumes: many(99, time.Second, time.Minute)}, ""},
		"one session of 50":          {Report{Resumes: many(49, time.Second, 6*time.Second)}, "sessions resumed (p99): 6s, promised are 5s"},
		"a lane waited for too long": {Report{Lanes: many(500, time.Second, 11*time.Second)}, "lanes taken over: 11s, promised are 10s"},
	} {
		if got := strings.Join(test.report.late(takeoverLimit, 1), "; "); got != test.want {
			t.Errorf("%s: %q, want %q", name, got, test.want)
		}
	}
	threeTimes := Report{Starts: many(1, 0, 9*time.Second), Resumes: many(1, 0, 15*time.Second), Lanes: many(1, 0, 31*time.Second)}
	if got := strings.Join(threeTimes.late(takeoverLimit, shortSlack), "; "); got != "lanes taken over: 31s, promised are 10s" {
		t.Errorf("in the short form: %q", got)
	}
}

// The wait of a lane counts from the kill of a hub: for a delivery that had been tried before it, and for a message that was owed and
// had not been tried; not for what was said afterwards. Where another kill came first it counts from that one.
func TestTakeoversAreMeasured(t *testing.T) {
	second := func(n int) time.Time { return time.Unix(int64(n), 0) }
	e := innocent()
	for i := range e.Record[0].Messages {
		e.Record[0].Messages[i].Created = second(i + 1) // and came in the same second
	}
	first, last := e.Arrivals[0], e.Arrivals[3]
	at := func(a Arrival, n int) Arrival { a.At = second(n); return a }
	for name, test := range map[string]struct {
		arrivals []Arrival
		kills    []time.Time
		want     []time.Duration
	}{
		"tried again":               {[]Arrival{at(first, 2), at(first, 13)}, []time.Time{second(3)}, []time.Duration{10 * time.Second}},
		"tried for the first time":  {[]Arrival{at(last, 12)}, []time.Time{second(5)}, []time.Duration{7 * time.Second}},
		"said after the kill":       {[]Arrival{at(last, 12)}, []time.Time{second(3)}, nil},
		"nothing was owed":          {[]Arrival{at(first, 2)}, []time.Time{second(3)}, nil},
		"two kills before the try":  {[]Arrival{at(first, 2), at(first, 13)}, []time.Time{second(3), second(9)}, []time.Duration{4 * time.Second}},
		"two kills, a try for each": {[]Arrival{at(first, 2), at(first, 5), at(first, 13)}, []time.Time{second(3), second(9)}, []time.Duration{2 * time.Second, 4 * time.Second}},
	} {
		if got := takeovers(Evidence{Record: e.Record, Arrivals: test.arrivals}, test.kills); !slices.Equal(got, test.want) {
			t.Errorf("%s: %v, want %v", name, got, test.want)
		}
	}
}

func lost(v *Verdict) int       { return v.Lost }
func reordered(v *Verdict) int  { return v.Reordered }
func duplicated(v *Verdict) int { return v.Duplicated }
func unsent(v *Verdict) int     { return v.Unsent }
func missed(v *Verdict) int     { return v.Missed }
func refused(v *Verdict) int    { return v.Refused }
