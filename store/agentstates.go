package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"parley"
	"parley/ident"
)

// agentStates are those that every tenant has (reference/agent-conversations.md 3.6).
var agentStates = []parley.AgentState{{Name: "New", Color: "#2D9CDB"}, {Name: "Open", Color: "#27AE60"}, {Name: "In Process", Color: "#F2C94C"}, {Name: "Escalated", Color: "#EB5757"},
	{Name: "Complete", Color: "#828282", Persistent: true}}

// AgentStates implements [parley.AgentConversations].
func (t *tx) AgentStates(ctx context.Context, tenant parley.TenantID) ([]parley.AgentState, error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, err
	}
	states, err := t.agentStates(ctx, owner)
	if err != nil || len(states) > 0 {
		return states, err
	}
	now := t.s.now().UnixMilli()
	for place, s := range agentStates {
		id := ident.New[parley.AgentState]()
		if err := t.run(ctx, `INSERT INTO agent_states (id, tenant, place, name, description, color, persistent, created, modified) VALUES (?, ?, ?, ?, '', ?, ?, ?, ?)
			ON CONFLICT DO NOTHING`, id[:], owner, place, s.Name, s.Color, flag(s.Persistent), now, now); err != nil {
			return nil, fmt.Errorf("make states: %w", err)
		}
	}
	return t.agentStates(ctx, owner)
}

// PutAgentStates implements [parley.AgentConversations].
func (t *tx) PutAgentStates(ctx context.Context, tenant parley.TenantID, states []parley.AgentState) error {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return err
	}
	before, err := t.agentStates(ctx, owner)
	if err != nil {
		return err
	}
	if err := t.run(ctx, "DELETE FROM agent_states WHERE tenant = ?", owner); err != nil {
		return err
	}
	created := map[parley.AgentStateID]time.Time{}
	for _, s := range before {
		created[s.ID] = s.Created
	}
	for place, s := range states {
		if at, known := created[s.ID]; known {
			s.Created = at
		}
		delete(created, s.ID)
		if err := t.run(ctx, "INSERT INTO agent_states (id, tenant, place, name, description, color, persistent, created, modified) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)",
			s.ID[:], owner, place, s.Name, s.Description, s.Color, flag(s.Persistent), s.Created.UnixMilli(), s.Modified.UnixMilli()); err != nil {
			return fmt.Errorf("put state %s: %w", s.ID, err)
		}
	}
	for gone := range created {
		if err := t.leaveState(ctx, owner, gone); err != nil {
			return fmt.Errorf("remove state %s: %w", gone, err)
		}
	}
	return nil
}

// leavingAtOnce is how many conversations that have a state are read together.
const leavingAtOnce = 500

// leaveState takes a state from the conversations that have it. It looks through all of the tenant's, which few do who remove a state now and then.
func (t *tx) leaveState(ctx context.Context, owner int64, gone parley.AgentStateID) error {
	type row struct {
		key     int64
		profile string
	}
	for after, more := int64(0), true; more; {
		var page []row
		if err := query(ctx, t.db, "SELECT conversation, profile FROM agent_conversations WHERE tenant = ? AND conversation > ? AND profile LIKE ? ORDER BY conversation LIMIT ?",
			[]any{owner, after, "%" + gone.String() + "%", leavingAtOnce}, func(rows *sql.Rows) error {
				var r row
				err := rows.Scan(&r.key, &r.profile)
				page = append(page, r)
				return err
			}); err != nil {
			return err
		}
		for _, r := range page {
			var a parley.AgentConversation
			if err := json.Unmarshal([]byte(r.profile), &a); err != nil {
				return fmt.Errorf("read conversation %d: %w", r.key, err)
			}
			if after = r.key; a.State != gone { // a caller has the id among its own data
				continue
			}
			a.State = parley.AgentStateID{}
			profile, err := json.Marshal(&a)
			if err != nil {
				return err
			}
			if err := t.run(ctx, "UPDATE agent_conversations SET profile = ? WHERE conversation = ?", string(profile), r.key); err != nil {
				return err
			}
		}
		more = len(page) == leavingAtOnce
	}
	return nil
}

func (t *tx) agentStates(ctx context.Context, owner int64) (states []parley.AgentState, err error) {
	err = query(ctx, t.db, "SELECT id, name, description, color, persistent, created, modified FROM agent_states WHERE tenant = ? ORDER BY place", []any{owner}, func(rows *sql.Rows) error {
		var s parley.AgentState
		var id []byte
		var persistent, created, modified int64
		if err := rows.Scan(&id, &s.Name, &s.Description, &s.Color, &persistent, &created, &modified); err != nil {
			return err
		}
		s.ID, s.Persistent, s.Created, s.Modified = parley.AgentStateID(id), persistent != 0, moment(&created), moment(&modified)
		states = append(states, s)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read states: %w", err)
	}
	return states, nil
}
