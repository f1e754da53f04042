package hub

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"

	"parley"
)

// Detected does what a tracker's hit asks for: tells whoever has the turn, hands over from a bot to an agent program. A repeat
// changes nothing, and neither does one about a conversation that is over. Called for committed messages only.
func (h *Hub) Detected(ctx context.Context, tenant parley.TenantID, d parley.Detected) error {
	if !d.Action.Callback && !d.Action.HandOver {
		return nil
	}
	in := &input{kind: detected, found: d, sender: d.Message.Sender}
	// Under a messageId of its own, so that it is said once however often the message is looked at.
	in.draft = parley.Draft{Type: parley.TypeCustomerInfo, Sender: parley.System,
		Body: parley.Body{MessageID: "tracker:" + d.Tracker.String() + ":" + strconv.FormatInt(d.Message.Seq, 10)}}
	err := h.wait(ctx, tenant, d.Message.Conversation, in)
	if parley.KindOf(err) == parley.Closed {
		return nil
	}
	if err != nil {
		return fmt.Errorf("act on a hit in conversation %s: %w", d.Message.Conversation, err)
	}
	return nil
}

// detected acts on a hit.
func (r *routing) detected() {
	if r.c.Status != parley.Open {
		return
	}
	found := &r.in.found
	why := fmt.Sprintf("tracker %q found %q in message %d", found.Name, found.Phrase, found.Message.Seq)
	if slot := r.ownerSlot(); slot > 0 && found.Action.Callback {
		content := struct {
			Tracker  string `json:"tracker"`
			ID       string `json:"trackerId"`
			Phrase   string `json:"phrase"`
			Message  string `json:"messageId"`
			Sequence int64  `json:"seq"`
		}{found.Name, found.Tracker.String(), found.Phrase, found.Message.ID.String(), found.Message.Seq}
		raw, _ := json.Marshal(content) // strings and a number: cannot fail
		body := r.in.draft.Body
		body.Name, body.Content = systemName, &parley.Content{JSON: raw}
		r.add(parley.TypeCustomerInfo, parley.System, bit(slot), why, body)
	}
	if found.Action.HandOver && found.Message.Sender == parley.Customer && r.c.Owner.Kind == parley.OwnerBot {
		r.toAgents(nil, parley.System, why)
	}
}
