package hub_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"parley"
	"parley/hub"
	"parley/ident"
	"parley/store/storetest"
)

// A conversation can be read once it is over, for 90 days, by its tenant.
func TestEndedConversationIsReadForItsTime(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	id := w.start()
	read := func(tenant parley.TenantID) error {
		_, _, _, err := w.hub.Ended(t.Context(), tenant, id)
		return err
	}
	if err := read(w.tenant); parley.KindOf(err) != parley.NotFound {
		t.Errorf("while it is open: %v, want NotFound", err)
	}
	w.say(id, parley.Customer, parley.TypeConversationEnd)
	w.later(90 * 24 * time.Hour)
	if err := read(w.tenant); err != nil {
		t.Errorf("after 90 days: %v", err)
	}
	if err := read(parley.TenantID{1}); parley.KindOf(err) != parley.NotFound {
		t.Errorf("by a stranger: %v, want NotFound", err)
	}
	w.later(time.Second)
	if err := read(w.tenant); parley.KindOf(err) != parley.NotFound {
		t.Errorf("after more than 90 days: %v, want NotFound", err)
	}
}

func TestAccountEnds(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	one, two := w.start(), w.start()
	if err := w.hub.EndAccount(t.Context(), w.tenant, w.account.ID); err != nil {
		t.Fatal(err)
	}
	for _, id := range []parley.ConversationID{one, two} {
		if c := w.conversation(id); c.Status != parley.Ended {
			t.Errorf("conversation %s is %s", id, c.Status)
		}
	}
}

// A conversation that began while its account was being deleted, after those of the account were ended, ends: as soon as somebody says something, or
// says that it ends, or when its deadline comes. Nobody waits for a bot of which nothing is known.
func TestConversationsOfDeletedAccountsEnd(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		w := newWorld(t, open(t))
		w.runsBots()
		ids := make([]parley.ConversationID, 4)
		for i := range ids {
			ids[i] = w.start()
		}
		w.update(func(tx parley.Tx) error { return tx.Accounts().Delete(t.Context(), w.tenant, w.account.ID) })
		w.hub.ConfigChanged(t.Context(), w.tenant)
		if _, err := w.try(ids[0], parley.Customer, parley.TypeText); parley.KindOf(err) != parley.Closed {
			t.Errorf("a message in it: %v, want Closed", err)
		}
		if err := w.hub.Reply(t.Context(), w.tenant, ids[1], hub.Reply{Seq: 1}); !errors.Is(err, hub.ErrTurnOver) {
			t.Errorf("an answer in it: %v, want ErrTurnOver", err)
		}
		if err := w.hub.End(t.Context(), w.tenant, ids[2], "test"); err != nil {
			t.Errorf("the end of it: %v", err)
		}
		w.later(time.Hour)
		w.hub.Remind(t.Context())
		for i, id := range ids {
			waiting, cancel := context.WithTimeout(t.Context(), 10*time.Second)
			turn, err := w.hub.AwaitTurn(waiting, w.tenant, id, 1)
			cancel()
			if err != nil || turn.Status != parley.TurnDropped || w.conversation(id).Status != parley.Ended {
				t.Errorf("conversation %d is %s, and its turn %s, %v", i, w.conversation(id).Status, turn.Status, err)
			}
		}
	})
}

// A hub that has not heard that an account was deleted begins nothing on it once it reads it again: the address is nobody's, or that of the next account.
func TestAddressOfADeletedAccount(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	id := w.start()
	w.later(6 * time.Second)
	w.say(id, parley.Customer, parley.TypeText) // has the account read
	w.later(3 * time.Second)
	w.start() // has the address read
	w.update(func(tx parley.Tx) error { return tx.Accounts().Delete(t.Context(), w.tenant, w.account.ID) })
	w.later(3 * time.Second)
	if _, err := w.post(w.starter("m1")); parley.KindOf(err) != parley.Invalid || parley.ReasonOf(err) != parley.NoAccount {
		t.Errorf("a start on it: %v, want NoAccount", err)
	}
	w.account.ID = ident.New[parley.Account]()
	w.update(func(tx parley.Tx) error {
		return tx.Accounts().Insert(t.Context(), &w.account, []parley.Reference{{Kind: parley.KindChannel, ID: w.channel.ID}})
	})
	if c := w.conversation(w.start()); c.Account != w.account.ID {
		t.Errorf("a start on the next one is on %s, want %s", c.Account, w.account.ID)
	}
}

// Whoever ends a conversation by what it knew of it hears that something was said since, on whatever hub, or that it is over.
func TestConversationEndsAfterWhatWasKnown(t *testing.T) {
	w := newWorld(t, storetest.Open(t))
	other := hub.New(hub.Config{Store: w.store, Clock: w.now})
	id := w.start()
	known := w.conversation(id).Seq
	for _, want := range []struct {
		says   bool // on the first hub, of which the other one does not hear
		late   bool
		status parley.Status
	}{{true, true, parley.Open}, {true, false, parley.Ended}, {false, true, parley.Ended}} {
		if want.says {
			said := w.say(id, parley.Customer, parley.TypeText).Seq
			if !want.late {
				known = said
			}
		}
		err := other.EndAfter(t.Context(), w.tenant, id, known, "test")
		if late := parley.KindOf(err) == parley.Conflict; late != want.late || !late && err != nil || w.conversation(id).Status != want.status {
			t.Errorf("EndAfter(%d) = %v, and the conversation is %s; want %+v", known, err, w.conversation(id).Status, want)
		}
	}
}
