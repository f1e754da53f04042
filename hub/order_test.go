package hub_test

import (
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"

	"parley"
	"parley/hub"
	"parley/store/storetest"
)

// Guarantee G3 while the first one is still on its way to the disk: a messageId that comes many times at once, also twice
// in one request, is one message, and everyone hears of the same.
func TestRepeatsAtOnce(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		w := newWorld(t, open(t))
		other := hub.New(hub.Config{Store: w.store, Clock: w.now})
		id := w.start()
		const messages, times = 20, 6
		var wg sync.WaitGroup
		var mu sync.Mutex
		got := map[string][]hub.Posted{}
		for i := range messages {
			d := draft(parley.Customer, "x")
			d.Conversation, d.Body.MessageID = id, fmt.Sprint("m-", i)
			for n := range times {
				h := []*hub.Hub{w.hub, w.hub, other}[n%3]
				request := hub.PostRequest{Speaker: parley.Speaker{Tenant: w.tenant}, Drafts: []parley.Draft{d, d}}
				wg.Add(1)
				h.Submit(t.Context(), request, func(posted []hub.Posted, err error) {
					defer wg.Done()
					mu.Lock()
					defer mu.Unlock()
					if err != nil {
						t.Errorf("%s: %v", d.Body.MessageID, err)
					}
					got[d.Body.MessageID] = append(got[d.Body.MessageID], posted...)
				})
			}
		}
		wg.Wait()
		for name, answers := range got {
			if len(answers) != 2*times || len(slices.Compact(answers)) != 1 {
				t.Errorf("%s was answered with %v, want %d times the same", name, answers, 2*times)
			}
		}
		if n := len(storetest.Messages(t, w.store, id)); n != messages+1 {
			t.Errorf("%d messages, want %d", n, messages+1)
		}
		storetest.Check(t, w.store, w.tenant, id)
	})
}

// Guarantee G2 for one caller: what it posts without waiting is stored in the order in which it posted, although another
// hub is faster again and again.
func TestPostsKeepTheirOrderOverConflicts(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		w := newWorld(t, open(t))
		hubs := map[string]*hub.Hub{"one": w.hub, "two": hub.New(hub.Config{Store: w.store, Clock: w.now})}
		id := w.start()
		const each = 150
		var wg sync.WaitGroup
		for name, h := range hubs {
			wg.Go(func() {
				window := make(chan struct{}, 8)
				for i := range each {
					d := draft(parley.Customer, fmt.Sprintf("%s %03d", name, i))
					d.Conversation = id
					window <- struct{}{}
					wg.Add(1)
					h.Submit(t.Context(), hub.PostRequest{Speaker: parley.Speaker{Tenant: w.tenant}, Drafts: []parley.Draft{d}}, func(_ []hub.Posted, err error) {
						if err != nil {
							t.Errorf("%s %d: %v", name, i, err)
						}
						<-window
						wg.Done()
					})
				}
			})
		}
		wg.Wait()
		said := map[string][]string{}
		for _, m := range storetest.Messages(t, w.store, id)[1:] {
			name, n, _ := strings.Cut(m.Body.Content.Text, " ")
			said[name] = append(said[name], n)
		}
		for name, numbers := range said {
			if len(numbers) != each || !slices.IsSorted(numbers) {
				t.Errorf("%s is stored in the order %v", name, numbers)
			}
		}
		storetest.Check(t, w.store, w.tenant, id)
	})
}
