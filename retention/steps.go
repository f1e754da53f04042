package retention

import (
	"context"
	"fmt"
	"time"

	"parley"
)

// A step removes some of something, and says how much and whether there is more.
type step func(ctx context.Context) (n int64, more bool, err error)

// ended removes conversations that are over.
func (j *Job) ended(tenant parley.TenantID, before time.Time) step {
	var after parley.OldConversation
	return func(ctx context.Context) (n int64, more bool, err error) {
		var old []parley.OldConversation
		if err := j.config.Record.View(ctx, func(tx parley.Tx) (err error) {
			old, err = tx.OldConversations(ctx, tenant, before, after, talksAtOnce)
			return err
		}); err != nil || len(old) == 0 {
			return 0, false, err
		}
		after = old[len(old)-1]
		n, err = j.noted(ctx, tenant, parley.RetainedMessages, func(tx parley.Tx) (int64, error) { return tx.RemoveConversations(ctx, tenant, old, before) })
		return n, len(old) == talksAtOnce, err
	}
}

// lasting takes the words from what was said in conversations that go on.
func (j *Job) lasting(tenant parley.TenantID, before time.Time) step {
	var after parley.OldConversation
	var page []parley.OldConversation
	return func(ctx context.Context) (n int64, more bool, err error) {
		if len(page) == 0 {
			if err := j.config.Record.View(ctx, func(tx parley.Tx) (err error) {
				page, err = tx.LastingConversations(ctx, tenant, before, after, talksAtOnce)
				return err
			}); err != nil || len(page) == 0 {
				return 0, false, err
			}
		}
		after = page[0]
		n, err = j.noted(ctx, tenant, parley.RetainedMessages, func(tx parley.Tx) (n int64, err error) {
			n, more, err = tx.RemoveSaid(ctx, tenant, after.Key, before)
			return n, err
		})
		if !more {
			page = page[1:]
		}
		return n, true, err
	}
}

// files removes files, bytes first, so that a failure leaves no bytes that nobody knows of.
func (j *Job) files(tenant parley.TenantID, before time.Time) step {
	return func(ctx context.Context) (n int64, more bool, err error) {
		var old []parley.Asset
		if err := j.config.Record.View(ctx, func(tx parley.Tx) (err error) {
			old, err = tx.OldAssets(ctx, tenant, before, rowsAtOnce)
			return err
		}); err != nil || len(old) == 0 {
			return 0, false, err
		}
		for i := range old {
			if err := j.config.Files.Erase(ctx, tenant, old[i].ID); err != nil {
				return 0, false, fmt.Errorf("remove a file: %w", err)
			}
		}
		n, err = j.noted(ctx, tenant, parley.RetainedAttachments, func(tx parley.Tx) (int64, error) {
			for i := range old {
				if err := tx.EraseFile(ctx, tenant, old[i].ID); err != nil {
					return 0, err
				}
			}
			return int64(len(old)), nil
		})
		return n, len(old) == rowsAtOnce, err
	}
}

// rows removes rows that nothing refers to.
func (j *Job) rows(tenant parley.TenantID, kind parley.RetentionKind, before time.Time, remove func(parley.Tx, context.Context, parley.TenantID, time.Time) (int64, error)) step {
	return func(ctx context.Context) (n int64, more bool, err error) {
		n, err = j.noted(ctx, tenant, kind, func(tx parley.Tx) (int64, error) { return remove(tx, ctx, tenant, before) })
		return n, n > 0, err
	}
}

// noted removes something and notes how much, both or neither.
func (j *Job) noted(ctx context.Context, tenant parley.TenantID, kind parley.RetentionKind, remove func(parley.Tx) (int64, error)) (n int64, err error) {
	err = j.config.Record.Update(ctx, func(tx parley.Tx) (err error) {
		if n, err = remove(tx); err != nil {
			return err
		}
		return tx.NoteRemoved(ctx, tenant, kind, n, j.now())
	})
	if err != nil {
		return 0, err
	}
	return n, nil
}
