package insight_test

import (
	"errors"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/insight"
	"parley/store/storetest"
)

// A text's own trackers are used for it alone, and for it they are the only ones unless it says so.
func TestTextsBringTheirOwn(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		stored := s.tracker(parley.Tracker{Name: "Stored", Vocabulary: []string{"hello"}})
		other := s.tracker(parley.Tracker{Name: "Other", Vocabulary: []string{"hello"}})
		own := []parley.Tracker{{Name: "Own", Vocabulary: []string{"hello"}}}
		wants := map[parley.Number][]string{}
		for _, test := range []struct {
			name string
			text insight.Text
			want []string
		}{
			{"nothing said about it", insight.Text{}, []string{"Stored: hello at 0 in hello", "Other: hello at 0 in hello"}},
			{"none", insight.Text{AllTrackers: new(false)}, []string{}},
			{"its own", insight.Text{Trackers: own}, []string{"Own: hello at 0 in hello"}},
			{"its own and a stored one", insight.Text{Trackers: own, Stored: []parley.Number{other.Number}}, []string{"Other: hello at 0 in hello", "Own: hello at 0 in hello"}},
			{"its own and all", insight.Text{Trackers: own, AllTrackers: new(true)}, []string{"Stored: hello at 0 in hello", "Other: hello at 0 in hello", "Own: hello at 0 in hello"}},
			{"a stored one", insight.Text{Stored: []parley.Number{stored.Number}}, []string{"Stored: hello at 0 in hello"}},
		} {
			n, job := s.say(test.text, "hello")
			s.round()
			if diff := cmp.Diff(test.want, s.found(n)); diff != "" {
				t.Errorf("%s (-want +got):\n%s", test.name, diff)
			}
			wants[n] = test.want
			if j, err := s.conversations.Job(t.Context(), parley.DefaultTenant, job); err != nil || j.Status != parley.JobCompleted {
				t.Errorf("%s: job = %s, %v; want completed", test.name, j.Status, err)
			}
		}
		if all, err := s.trackers.List(t.Context(), parley.DefaultTenant, nil); err != nil || len(all) != 2 {
			t.Errorf("List = %d trackers, %v; a text's own were stored", len(all), err)
		}
		s.run(insight.Run{})
		s.round()
		for n, want := range wants {
			if diff := cmp.Diff(want, s.found(n)); diff != "" {
				t.Errorf("looked at again (-want +got):\n%s", diff)
			}
		}
	})
}

// A webhook hears once how its job ended, and again after it did not answer.
func TestWebhookIsTold(t *testing.T) {
	s := newStage(t, storetest.Open(t))
	s.failing = errors.New("planted")
	_, job := s.say(insight.Text{Webhook: "https://example.org/done"}, "hello")
	s.round()
	s.round()
	want := []string{`https://example.org/done {"jobId":"` + job.String() + `","status":"completed"}`}
	if diff := cmp.Diff(want, s.told); diff != "" {
		t.Errorf("told before the pause is over (-want +got):\n%s", diff)
	}
	s.failing, s.clock = nil, s.clock.Add(2*time.Second)
	s.round()
	s.round()
	if diff := cmp.Diff(append(want, want...), s.told); diff != "" {
		t.Errorf("told in all (-want +got):\n%s", diff)
	}
}

// Who names a webhook that may not be told hears of it at once, and nothing is stored.
func TestWebhooksAreChecked(t *testing.T) {
	s := newStage(t, storetest.Open(t))
	s.conversations.Vocabularies = insight.NewVocabularies(s.store, nil, nil, netip.MustParsePrefix("10.1.0.0/16"))
	for url, want := range map[string]string{
		"https://example.org/done": "", "http://10.1.2.3/done": "", "https://93.184.216.34:8443": "",
		"ftp://example.org": "absolute", "example.org/done": "absolute", "https://:80/": "absolute", "https://a:b@example.org": "user name",
		"http://127.0.0.1:8080/": "not public", "http://[::1]/": "not public", "http://10.2.0.1/": "not public", "http://169.254.169.254/latest": "not public",
		"http://2130706433/": "not public", "http://0x7f.1/": "not public",
	} {
		_, _, err := s.conversations.Process(t.Context(), parley.DefaultTenant, nil, insight.Text{Messages: []insight.TextMessage{{Content: "x"}}, Webhook: url})
		if want == "" && err != nil {
			t.Errorf("webhook %s = %v", url, err)
		}
		if want != "" && (parley.KindOf(err) != parley.Invalid || !strings.Contains(err.Error(), want) || !strings.Contains(err.Error(), "webhookUrl")) {
			t.Errorf("webhook %s = %v, want Invalid with %q", url, err, want)
		}
	}
	if list, err := s.conversations.List(t.Context(), parley.DefaultTenant, nil, insight.NewListQuery()); err != nil || len(list) != 3 {
		t.Errorf("%d texts are stored, %v; want the three whose webhooks may be told", len(list), err)
	}
}

// More of a text goes on behind what is there, and what is not a text takes no more.
func TestMoreOfAText(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		s.tracker(parley.Tracker{Name: "Greeting", Vocabulary: []string{"hello"}})
		n, _ := s.say(insight.Text{Name: "Call", Metadata: map[string]string{"region": "north"}}, "hello one")
		s.round()
		again, _, err := s.conversations.Process(t.Context(), parley.DefaultTenant, &n, insight.Text{Messages: []insight.TextMessage{{Content: "hello two"}}})
		if err != nil || again != n {
			t.Fatalf("Process more = %s, %v; want %s", again, err, n)
		}
		s.round()
		if diff := cmp.Diff([]string{"Greeting: hello at 0 in hello one; 0 in hello two"}, s.found(n)); diff != "" {
			t.Errorf("found (-want +got):\n%s", diff)
		}
		in, err := s.conversations.Find(t.Context(), parley.DefaultTenant, n)
		if err != nil || in.Name != "Call" || in.Metadata["region"] != "north" || len(in.Members) != 2 || in.Members[0].Email != "roza@example.org" {
			t.Errorf("Find = %+v, %v", in, err)
		}
		step := storetest.Start("")
		storetest.MustCommit(t, s.store, step)
		s.round()
		number := parley.NumberOf(step.Conversation.ID)
		if _, _, err := s.conversations.Process(t.Context(), parley.DefaultTenant, &number, insight.Text{Messages: []insight.TextMessage{{Content: "x"}}}); parley.KindOf(err) != parley.NotFound {
			t.Errorf("Process more of a chat = %v, want NotFound", err)
		}
	})
}

// What is appended is in the language of its conversation, whatever the request says: so are the trackers that it brings along.
func TestMoreOfATextIsInItsLanguage(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := newStage(t, open(t))
		n, _ := s.say(insight.Text{Language: "de-DE"}, "Guten Tag")
		for _, language := range []string{"", "en-US", "de-DE"} {
			more := insight.Text{Language: language, Messages: []insight.TextMessage{{Content: "Ich habe zwei Kündigungen"}}, Trackers: []parley.Tracker{{Name: "Leaving " + language, Vocabulary: []string{"Kündigung"}}}}
			if _, _, err := s.conversations.Process(t.Context(), parley.DefaultTenant, &n, more); err != nil {
				t.Fatal(err)
			}
			s.round()
		}
		at := ": Kündigung at -1 in Ich habe zwei Kündigungen"
		if diff := cmp.Diff([]string{"Leaving de-DE" + at, "Leaving en-US" + at, "Leaving" + at}, slices.Sorted(slices.Values(s.found(n)))); diff != "" {
			t.Errorf("found (-want +got):\n%s", diff)
		}
	})
}
