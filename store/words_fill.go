package store

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"fmt"
	"time"

	"parley"
)

// wordsAtOnce is how many insights get their words in one transaction.
const wordsAtOnce = 2000

// wordsTold is how often the log hears up to conversations of which time they are written.
const wordsTold = 5 * time.Second

// openWords opens the cipher of words, and writes the words of insights that an earlier program wrote: the hub is ready after that
// (docs/performance.md says how long it takes). Several nodes take turns; who comes later goes on where the one before was stopped.
func (s *Store) openWords(ctx context.Context) error {
	told := s.now()
	for more := true; more; {
		err := s.Update(ctx, func(p parley.Tx) (err error) {
			t := p.(*tx)
			var sealed []byte
			var written *int64
			if err := t.db.NewRaw("UPDATE insight_words SET written = written WHERE one = 1 RETURNING cipher, written").Scan(ctx, &sealed, &written); err != nil {
				return err
			}
			if s.words, err = t.wordCipher(ctx, sealed); err != nil {
				return err
			}
			if more = written != nil; !more {
				return nil
			}
			last, err := t.writeWords(ctx, *written)
			if err != nil {
				return err
			}
			if now := s.now(); last != nil && now.Sub(told) >= wordsTold {
				told = now
				var newest int64
				if err := t.db.NewRaw("SELECT MAX(place) FROM insights").Scan(ctx, &newest); err != nil {
					return err
				}
				s.config.Logger.InfoContext(ctx, "writing the words of conversations anew", "started", started(*last), "newest_started", started(newest))
			}
			return t.run(ctx, "UPDATE insight_words SET written = ? WHERE one = 1", last)
		})
		if err != nil {
			return fmt.Errorf("write words: %w", err)
		}
	}
	return nil
}

// wordCipher opens what is sealed in the record, or makes it if there is nothing: who has a copy of the database alone cannot read
// in its indexes what was removed.
func (t *tx) wordCipher(ctx context.Context, sealed []byte) (wordCipher, error) {
	place := []byte("insight_words")
	if sealed != nil {
		cipher, err := t.s.config.Seal.Decrypt(sealed, place)
		if err != nil {
			return nil, fmt.Errorf("open the cipher (is this the keyset it was sealed with?): %w", err)
		}
		return cipher, nil
	}
	cipher := make(wordCipher, 32)
	_, _ = rand.Read(cipher) // never fails
	sealed, err := t.s.config.Seal.Encrypt(cipher, place)
	if err != nil {
		return nil, err
	}
	return cipher, t.run(ctx, "UPDATE insight_words SET cipher = ? WHERE one = 1", sealed)
}

// writeWords writes the words of the next insights behind a place, and says which was the last; nil if there were none.
func (t *tx) writeWords(ctx context.Context, after int64) (last *int64, err error) {
	var rows [][]any
	byPlace := map[int64]*parley.Insight{}
	err = query(ctx, t.db, "SELECT place, tenant, number, name, type, ended, metadata FROM insights WHERE place > ? ORDER BY place LIMIT ?", []any{after, wordsAtOnce}, func(r *sql.Rows) error {
		in := &parley.Insight{}
		var place, tenant, ended int64
		var metadata []byte
		if err := r.Scan(&place, &tenant, &in.Number, &in.Name, &in.Type, &ended, &metadata); err != nil {
			return err
		}
		in.Ended = moment(&ended)
		byPlace[place], last = in, &place
		rows = append(rows, []any{tenant, place, ""})
		return json.Unmarshal(metadata, &in.Metadata)
	})
	if err != nil || last == nil {
		return nil, err
	}
	err = query(ctx, t.db, "SELECT place, label FROM conversation_labels WHERE place > ? AND place <= ?", []any{after, *last}, func(r *sql.Rows) error {
		var place int64
		var label string
		if err := r.Scan(&place, &label); err != nil {
			return err
		}
		if in := byPlace[place]; in != nil {
			in.Labels = append(in.Labels, label)
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	for _, r := range rows {
		r[2] = t.s.words.of(r[0].(int64), byPlace[r[1].(int64)], t.s.dialect.unnest)
	}
	return last, t.insertTerms(ctx, rows)
}
