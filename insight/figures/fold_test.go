package figures

import (
	"testing"
	"time"

	gocmp "github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"parley"
)

// A turn that is over in the millisecond in which something else was said counts where it was stored, whether it is counted with that or
// later.
func TestTurnsCountWhereTheyEnded(t *testing.T) {
	says := func(seq int64, after time.Duration) parley.SaidMessage {
		return parley.SaidMessage{Seq: seq, Type: parley.TypeText, Sender: parley.Customer, Created: morning.Add(after)}
	}
	asked, meanwhile, later := says(1, 0), says(2, time.Second), says(3, time.Minute)
	turn := parley.Turn{Seq: 1, Status: parley.TurnOpen, Opened: morning}
	over := turn
	over.Status, over.Closed, over.ClosedSeq = parley.TurnAnswered, meanwhile.Created, 2
	over.Result.NLP = &parley.NLPResult{Type: parley.NLPIntent, Name: "order"}

	whole := Fold(&parley.Story{Whole: true, Messages: []parley.SaidMessage{asked, meanwhile, later}, Turns: []parley.Turn{over}}, 0, later.Created)
	first := Fold(&parley.Story{Messages: []parley.SaidMessage{asked, meanwhile}, Turns: []parley.Turn{turn}}, 0, meanwhile.Created)
	then := Fold(&parley.Story{Visits: []parley.StoredVisit{{Visit: first[0]}}, Messages: []parley.SaidMessage{later}, Turns: []parley.Turn{over}}, 0, later.Created)
	if diff := gocmp.Diff(whole, then, cmpopts.EquateEmpty()); diff != "" {
		t.Errorf("piece by piece differs (-at once +piece by piece):\n%s", diff)
	}
	if n := whole[0].Facts.Said["order"]; n != 1 {
		t.Errorf("%d messages were said in the dialog, want the one after the turn", n)
	}

	unknown := over
	unknown.ClosedSeq = 0 // of before that was noted
	before := Fold(&parley.Story{Whole: true, Messages: []parley.SaidMessage{asked, meanwhile, later}, Turns: []parley.Turn{unknown}}, 0, later.Created)
	if n := before[0].Facts.Said["order"]; n != 2 {
		t.Errorf("%d messages were said after a turn that goes by its time, want 2", n)
	}
}
