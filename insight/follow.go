package insight

import (
	"context"
	"fmt"
	"slices"
	"time"

	"parley"
	"parley/insight/feed"
)

// A follower reads the messages of all conversations in the order of their keys, see package feed.
type follower struct {
	loaded bool
	feed.Places
	saved   int64     // what the record has of the cursor
	at      time.Time // when that was written
	history int64     // key up to which the messages from before the first start were looked at
	until   int64     // where that ends
}

const (
	feedPage = 1000
	// saveEvery is how often the cursor is written at most: who takes over looks again at what was said since, which costs him time
	// and changes nothing, and on SQLite whoever posts may have to wait for each transaction.
	saveEvery = time.Second
)

// load reads how far the follower of the last leader was. The very first one begins with what is said from now on, and goes
// through what was said before beside that.
func (f *follower) load(ctx context.Context, record Record, now time.Time) error {
	return record.Update(ctx, func(tx parley.Tx) (err error) {
		*f = follower{}
		if f.Cursor, err = tx.FeedCursor(ctx, parley.FeedDetection); err != nil {
			return err
		}
		if f.history, err = tx.FeedCursor(ctx, parley.FeedHistory); err != nil {
			return err
		}
		if f.until, err = tx.FeedCursor(ctx, parley.FeedHistoryEnd); err != nil {
			return err
		}
		started, err := tx.FeedCursor(ctx, parley.FeedDetectionStarted)
		if err != nil {
			return err
		}
		if started == 0 {
			if err := f.begin(ctx, tx, now); err != nil {
				return err
			}
		}
		f.saved, f.loaded = f.Cursor, true
		return nil
	})
}

// begin is the very first start. What is on its way then is part of what is said from now on, and has keys that are missing among the
// last ones.
func (f *follower) begin(ctx context.Context, tx parley.Tx, now time.Time) error {
	cursor, err := tx.LastFed(ctx)
	if err != nil {
		return err
	}
	f.until = cursor
	for name, key := range map[string]int64{parley.FeedDetection: cursor, parley.FeedHistoryEnd: f.until, parley.FeedDetectionStarted: 1} {
		if err := tx.SetFeedCursor(ctx, name, key); err != nil {
			return err
		}
	}
	after := max(0, cursor-feedPage)
	last, err := tx.FedBetween(ctx, after, cursor+1, feedPage)
	if err != nil {
		return err
	}
	f.Begin(cursor, after, keysOf(last), now)
	return nil
}

func keysOf(fed []parley.FedMessage) (keys []int64) {
	for i := range fed {
		keys = append(keys, fed[i].Key)
	}
	return keys
}

// Begin notes, the first time ever, where the record ends: what is said after that is looked at as it comes, and does what its trackers
// ask for. It is called before Run, and before the hub takes messages.
func (d *Detector) Begin(ctx context.Context) error {
	if err := d.feed.load(ctx, d.config.Record, d.now()); err != nil {
		return fmt.Errorf("begin detection: %w", err)
	}
	return nil
}

// next reads what is new: behind the cursor, and in the holes. The follower does not move yet; see passed.
func (f *follower) next(ctx context.Context, record Record) (page []parley.FedMessage, late []parley.FedMessage, err error) {
	err = record.View(ctx, func(tx parley.Tx) (err error) {
		page, late = nil, nil
		if page, err = tx.Fed(ctx, f.Cursor, feedPage); err != nil {
			return err
		}
		for _, h := range f.Holes() {
			found, err := tx.FedBetween(ctx, h.After, h.Before, feedPage)
			if err != nil {
				return err
			}
			late = append(late, found...)
		}
		return nil
	})
	return page, late, err
}

// follow looks at what was said since the last time, and, when that is not much, at some of what was said before.
func (d *Detector) follow(ctx context.Context) error {
	f, began := &d.feed, d.now()
	if !f.loaded {
		if err := f.load(ctx, d.config.Record, began); err != nil {
			return err
		}
	}
	for ctx.Err() == nil {
		page, late, err := f.next(ctx, d.config.Record)
		if err != nil {
			return err
		}
		if err := d.look(ctx, slices.Concat(late, page), true); err != nil {
			return err
		}
		f.Passed(keysOf(page), keysOf(late), d.now())
		if safe := f.Safe(); safe > f.saved && d.now().Sub(f.at) >= saveEvery {
			if err := d.save(ctx, parley.FeedDetection, safe); err != nil {
				return err
			}
			f.saved, f.at = safe, d.now()
		}
		if len(page) < feedPage {
			break
		}
	}
	if f.history >= f.until {
		d.caughtUp.Store(began.UnixMilli())
		return nil
	}
	var page []parley.FedMessage
	err := d.config.Record.View(ctx, func(tx parley.Tx) (err error) {
		page, err = tx.FedBetween(ctx, f.history, f.until+1, feedPage)
		return err
	})
	if err != nil {
		return err
	}
	if err := d.look(ctx, page, false); err != nil {
		return err
	}
	f.history = f.until
	if len(page) == feedPage {
		f.history = page[len(page)-1].Key
	}
	return d.save(ctx, parley.FeedHistory, f.history)
}

func (d *Detector) save(ctx context.Context, name string, key int64) error {
	return d.config.Record.Update(ctx, func(tx parley.Tx) error { return tx.SetFeedCursor(ctx, name, key) })
}
