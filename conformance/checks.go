package conformance

import (
	"context"
	"encoding/base64"
	"fmt"
	"net/http"
	"sync"
	"time"

	"parley"
	"parley/dispatch"
	"parley/ident"
	"parley/signing"
)

// taken is the verdict on deliveries that a receiver must take.
func taken(answers ...answer) (Verdict, string) {
	for i, a := range answers {
		if !a.good() {
			return Fail, fmt.Sprintf("delivery %d of %d: %s", i+1, len(answers), a)
		}
	}
	slowest := time.Duration(0)
	for _, a := range answers {
		slowest = max(slowest, a.took)
	}
	return Pass, fmt.Sprintf("%d taken, the slowest answer after %d ms", len(answers), slowest.Milliseconds())
}

// refused is the verdict on a delivery that a receiver must not take. A 5xx and its like is no refusal: the hub would send
// it again; and a 410 would switch the role off on anybody's word.
func refused(a answer) (Verdict, string) {
	if a.status == 0 {
		return Fail, a.String()
	}
	if a.good() {
		return Fail, fmt.Sprintf("it took it (%d): anybody who knows the URL can speak for the hub", a.status)
	}
	if a.status == http.StatusGone {
		return Fail, "it answered 410, which switches the whole role off: refuse with 401 or 400"
	}
	if outcome, _ := dispatch.Judge(a.status, a.header, time.Now()); outcome != parley.OutcomeRejected {
		return Fail, fmt.Sprintf("it answered %d, which asks the hub to send it again: refuse with 401 or 400", a.status)
	}
	return Pass, fmt.Sprintf("it answered %d", a.status)
}

func answersInTime(ctx context.Context, h *hub) (Verdict, string) {
	a := h.deliver(ctx, newTalk().next(), nil)
	h.reached = a.good()
	return taken(a)
}

func unknownMembers(ctx context.Context, h *hub) (Verdict, string) {
	d := newTalk().next()
	d.body = append([]byte(`{"newMember":{"of":["a","later","version"]},`), d.body[1:]...)
	return taken(h.deliver(ctx, d, nil))
}

func answersRepeats(ctx context.Context, h *hub) (Verdict, string) {
	d := newTalk().next()
	return taken(h.deliver(ctx, d, nil), h.deliver(ctx, d, nil), h.deliver(ctx, d, nil))
}

func dropsRepeats(ctx context.Context, h *hub) (Verdict, string) {
	d := newTalk().next()
	first, second := h.deliver(ctx, d, nil), h.deliver(ctx, d, nil)
	if v, why := taken(first, second); v == Fail {
		return v, why
	}
	const dropped = "dropped"
	switch {
	case first.header.Get(repeatHeader) == dropped:
		return Fail, "it dropped the first of them, too"
	case second.header.Get(repeatHeader) == dropped:
		return Pass, "it says that it dropped the repeat"
	}
	return Skipped, "whether it acted twice cannot be seen from outside; a receiver shows it by the header " + repeatHeader + ": " + dropped + " in its answer to a repeat"
}

func survivesReordering(ctx context.Context, h *hub) (Verdict, string) {
	anna, ben := newTalk(), newTalk()
	early, later := anna.next(), anna.next() // said before everything of the other conversation
	var answers []answer
	for _, d := range []delivery{ben.next(), early, ben.next(), later, ben.next()} {
		answers = append(answers, h.deliver(ctx, d, nil))
	}
	return taken(answers...)
}

// crowd is how many conversations speak at the same time: what the hub has for one receiver at once, at most, by default.
const crowd = 32

func takesMany(ctx context.Context, h *hub) (Verdict, string) {
	answers := make([]answer, crowd)
	var wg sync.WaitGroup
	for i := range answers {
		wg.Go(func() { answers[i] = h.deliver(ctx, newTalk().next(), nil) })
	}
	wg.Wait()
	return taken(answers...)
}

// otherSecret is nobody's.
var otherSecret = "whsec_" + base64.StdEncoding.EncodeToString([]byte("not the secret of the receiver"))

// signatures is the header of a delivery signed with other secrets.
func signatures(d delivery, at time.Time, secrets ...string) string {
	header := http.Header{}
	_ = signing.Stamp(header, secrets, d.id, at, d.body) // newHub tried the secret
	return header.Get("Webhook-Signature")
}

func acceptsRotation(ctx context.Context, h *hub) (Verdict, string) {
	before, after := newTalk().next(), newTalk().next()
	before.at = time.Now()
	after.at = before.at
	return taken(h.deliver(ctx, before, func(header http.Header) {
		header.Set("Webhook-Signature", signatures(before, before.at, otherSecret, h.Secret))
	}), h.deliver(ctx, after, func(header http.Header) {
		header.Set("Webhook-Signature", signatures(after, after.at, h.Secret, otherSecret))
	}))
}

func refusesMissing(ctx context.Context, h *hub) (Verdict, string) {
	return refused(h.deliver(ctx, newTalk().next(), func(header http.Header) { header.Del("Webhook-Signature") }))
}

func refusesForged(ctx context.Context, h *hub) (Verdict, string) {
	d := newTalk().next()
	d.at = time.Now()
	return refused(h.deliver(ctx, d, func(header http.Header) { header.Set("Webhook-Signature", signatures(d, d.at, otherSecret)) }))
}

func refusesAltered(ctx context.Context, h *hub) (Verdict, string) {
	talk := newTalk()
	said, instead := talk.next(), talk.next()
	instead.at = time.Now()
	of := signatures(delivery{id: instead.id, body: said.body}, instead.at, h.Secret)
	if v, why := refused(h.deliver(ctx, instead, func(header http.Header) { header.Set("Webhook-Signature", of) })); v != Pass {
		return v, "another body: " + why
	}
	// A recording that is sent again under a new id would not be known as a repeat.
	v, why := refused(h.deliver(ctx, talk.next(), func(header http.Header) {
		header.Set("Webhook-Id", ident.New[parley.Delivery]().String())
	}))
	return v, "another id: " + why
}

// stale is beyond the five minutes that Standard Webhooks allows clocks to differ.
const stale = 10 * time.Minute

func refusesOld(ctx context.Context, h *hub) (Verdict, string) {
	d := newTalk().next()
	d.at = time.Now().Add(-stale)
	return refused(h.deliver(ctx, d, nil))
}

func refusesFuture(ctx context.Context, h *hub) (Verdict, string) {
	d := newTalk().next()
	d.at = time.Now().Add(stale)
	return refused(h.deliver(ctx, d, nil))
}

func comesBack(_ context.Context, h *hub) (Verdict, string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	switch {
	case len(h.useless) > 0:
		return Fail, h.useless[0]
	case h.silent > 0:
		return Fail, fmt.Sprintf("%d of its answers with 429 or 503 did not say Retry-After: the hub then comes back by its own schedule", h.silent)
	case h.putOff > 0:
		return Pass, fmt.Sprintf("%d deliveries were put off, came again when told, and were taken", h.putOff)
	}
	return Skipped, "the receiver put nothing off during the checks"
}
