package bots_test

import (
	"context"
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"parley"
	"parley/bots"
	"parley/store"
	"parley/store/storetest"
)

// counted is what the metrics of bots say.
func (s *stage) counted() map[string]float64 {
	s.Helper()
	families, err := s.meter.Gather()
	if err != nil {
		s.Fatal(err)
	}
	all := map[string]float64{}
	for _, family := range families {
		for _, m := range family.Metric {
			name := family.GetName()
			for _, label := range m.Label {
				name += " " + label.GetValue()
			}
			all[name] = m.GetCounter().GetValue() + float64(m.GetHistogram().GetSampleCount())
		}
	}
	return all
}

// Whether a bot that the hub runs is well is known like that of any receiver, and what became of its turns is counted.
func TestHealthOfBots(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open func(testing.TB, ...storetest.Option) *store.Store) {
		s := newStage(t, open(t), nil, parley.BotSettings{})
		says := func(why parley.TurnFailure) scripted {
			return func(context.Context, *bots.Turn, func(string)) (parley.BotReply, error) {
				if why != "" {
					return parley.BotReply{}, &bots.Failure{Why: why, Problem: "planted"}
				}
				return parley.BotReply{Answers: []parley.BotAnswer{{Type: parley.AnswerText, Text: "here"}}, Usage: parley.Usage{Prompt: 3, Completion: 2}}, nil
			}
		}
		var id parley.ConversationID
		for i, test := range []struct {
			why     parley.TurnFailure
			failing bool
		}{{"", false}, {parley.FailureModel, true}, {parley.FailureInternal, true}, {parley.FailureBot, true}, {"", false}, {parley.FailureInternal, false}} { // what is ours says nothing of the bot
			s.does(says(test.why))
			began := time.Now()
			id, _ = s.ask(id, fmt.Sprint("turn ", i))
			all, err := s.store.Healths(t.Context(), parley.DefaultTenant)
			if err != nil || len(all) != 1 || all[0].Application != s.bot || all[0].Failing.IsZero() == test.failing || all[0].Failing.After(time.Now()) || i == 1 && all[0].Failing.Before(began.Truncate(time.Millisecond)) {
				t.Errorf("after turn %d, which ended with %q, the bot's health is %+v, %v", i, test.why, all, err)
			}
		}
		want := map[string]float64{"parley_bot_turn_seconds rules": 6, "parley_bot_turns_total rules answered": 2, "parley_bot_turns_total rules bot": 1, "parley_bot_turns_total rules internal": 2,
			"parley_bot_turns_total rules model": 1, "parley_bot_tokens_total prompt": 6, "parley_bot_tokens_total completion": 4}
		if diff := cmp.Diff(want, s.counted()); diff != "" {
			t.Errorf("counted (-want +got)\n%s", diff)
		}
	})
}
