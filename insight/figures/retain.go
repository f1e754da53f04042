package figures

import (
	"context"
	"time"

	"parley"
)

// retain removes some visits that are older than their environment keeps them, from what they added up to as well, and says whether there are
// more. Environments follow each other.
func (c *Counter) retain(ctx context.Context, p *parley.FigureProgress) (more bool, err error) {
	var kept []parley.RetentionState
	if err := c.config.Record.View(ctx, func(tx parley.Tx) (err error) {
		kept, err = tx.RetentionsNow(ctx, c.now())
		return err
	}); err != nil {
		return false, err
	}
	for i := range kept {
		before := kept[i].Before(parley.RetainedAnalytics, c.now())
		if before.IsZero() {
			continue
		}
		if some, err := c.retainOf(ctx, p, kept[i].Tenant, before); some || err != nil {
			return some, err
		}
	}
	c.retained = c.now()
	return false, nil
}

// retainOf removes some visits of one environment. After the last of them it removes the empty cells.
func (c *Counter) retainOf(ctx context.Context, p *parley.FigureProgress, tenant parley.TenantID, before time.Time) (some bool, err error) {
	var old []parley.StoredVisit
	if err := c.config.Record.View(ctx, func(tx parley.Tx) (err error) {
		old, err = tx.OldVisits(ctx, p.Generation, tenant, before, walkPage)
		return err
	}); err != nil {
		return false, err
	}
	if len(old) == 0 {
		return false, c.put(ctx, p, nil, func(tx parley.Tx) error { return tx.DropEmptyCells(ctx, p.Generation, tenant, before) })
	}
	stories := make([]parley.Story, len(old)) // whole ones without a visit that stays; a conversation may have several
	for i := range old {
		stories[i] = parley.Story{Key: old[i].Conversation, Tenant: tenant, Whole: true, Visits: old[i : i+1]}
	}
	change, err := c.replace(ctx, p.Generation, stories, make([][]parley.Visit, len(stories)))
	if err != nil {
		return false, err
	}
	next := *p
	if err := c.put(ctx, &next, []parley.FigureChange{change}, func(tx parley.Tx) error {
		return tx.NoteRemoved(ctx, tenant, parley.RetainedAnalytics, int64(len(old)), c.now())
	}); err != nil {
		return false, err
	}
	*p = next
	if c.config.Retained != nil {
		c.config.Retained(len(old))
	}
	return true, nil
}

// carry takes visits of conversations that are not there any more over from the generation that answers to the one that is built, some at a
// time; it says false once there are none left. While a generation is built no conversation is removed.
func (c *Counter) carry(ctx context.Context, p *parley.FigureProgress) (some bool, err error) {
	if p.Building == p.Generation {
		return false, nil
	}
	var visits []parley.StoredVisit
	if err := c.config.Record.View(ctx, func(tx parley.Tx) (err error) {
		visits, err = tx.OrphanedVisits(ctx, p.Generation, p.Carried, walkPage)
		return err
	}); err != nil || len(visits) == 0 {
		return false, err
	}
	next := *p
	var stories []parley.Story
	var found [][]parley.Visit
	for i := range visits {
		v := visits[i].Visit
		if n := len(stories); n == 0 || stories[n-1].Key != v.Conversation {
			stories, found = append(stories, parley.Story{Key: v.Conversation, Tenant: v.Tenant, Whole: true}), append(found, nil)
		}
		found[len(found)-1] = append(found[len(found)-1], v)
		next.Carried = v.Conversation
	}
	change, err := c.replace(ctx, p.Building, stories, found)
	if err != nil {
		return false, err
	}
	if err := c.put(ctx, &next, []parley.FigureChange{change}, nil); err != nil {
		return false, err
	}
	*p = next
	c.metrics.counted.WithLabelValues("rebuild").Add(float64(len(stories)))
	return true, nil
}
