package figures

import (
	"cmp"
	"time"

	"parley"
)

// imported counts a conversation that took place in another system. It came as a whole, and has neither turns nor messages of the hub:
// what these would say is with its messages and its state.
func (f *fold) imported() {
	h := f.h
	past := &h.State.Import
	handedOver := past.HandedOver
	handOver := func() {
		if f.open() && !handedOver.IsZero() {
			f.handedOver(handedOver, parley.Transition{})
			handedOver = time.Time{}
		}
	}
	for i := range h.Messages {
		m := &h.Messages[i]
		if !handedOver.IsZero() && !m.Created.Before(handedOver) {
			handOver()
		}
		f.message(m)
		switch {
		case !f.open():
		case m.Sender == parley.Customer:
			f.intent, f.intentAt = m.Intent, m.Seq
			if m.Intent != "" {
				f.understood(m.Intent)
			}
		case m.Sender.IsBot():
			f.intent, f.intentAt = "", 0
		}
	}
	handOver()
	v := f.last()
	if v == nil {
		return
	}
	v.Facts.ReadSeq = f.seq
	if f.open() && !h.Ended.IsZero() {
		kind := map[parley.EndedBy]parley.EndingKind{parley.EndedByBot: parley.EndingByBot, parley.EndedByAgent: parley.EndingByAgent,
			parley.EndedByCustomer: parley.EndingByUser, parley.EndedByTimeout: parley.EndingBySilence}[past.EndedBy]
		f.over(cmp.Or(kind, parley.EndingUntold), h.Ended, h.Ended, 0)
	}
	if h.Whole {
		f.opinions()
	}
}
