package store

import (
	"context"
	"time"

	"parley"
)

// ExportedEvents implements [parley.Exports].
func (t *tx) ExportedEvents(ctx context.Context, q parley.EventQuery, after, upto int64) ([]parley.TrackedEvent, error) {
	text, args, err := t.exportedEvents(ctx, q, after, upto)
	if err != nil {
		return nil, err
	}
	return t.events(ctx, text, args...)
}

// exportedEvents is the condition of a page, whose keys are read along an index that ends with them before anything else is looked at. Hence
// at + 0: by time they would have to be sorted for every page.
func (t *tx) exportedEvents(ctx context.Context, q parley.EventQuery, after, upto int64) (text string, args []any, err error) {
	from, until := q.From, q.Until
	q.From, q.Until, q.Before = time.Time{}, time.Time{}, 0
	if text, args, err = t.whereEvents(ctx, &q); err != nil {
		return "", nil, err
	}
	text, args = "WHERE e.key IN (SELECT e.key FROM tracked_events AS e "+text+" AND e.key > ? AND e.key <= ?", append(args, after, upto)
	if !from.IsZero() {
		text, args = text+" AND e.at + 0 >= ?", append(args, from.UnixMilli())
	}
	if !until.IsZero() {
		text, args = text+" AND e.at + 0 < ?", append(args, until.UnixMilli())
	}
	return text + " ORDER BY e.key LIMIT ?) ORDER BY e.key", append(args, q.Limit), nil
}
