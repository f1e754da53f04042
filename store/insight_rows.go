package store

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"math"

	"parley"
)

// noMetadata and noMembers are how none are stored.
const (
	noMetadata = "{}"
	noMembers  = "[]"
)

// membersText is how members are stored.
func membersText(members []parley.Member) (string, error) {
	if len(members) == 0 {
		return noMembers, nil
	}
	text, err := json.Marshal(members)
	return string(text), err
}

// insightRows are the rows of one insight, or of many, as the bulks take them.
type insightRows struct{ insights, metadata, labels, terms [][]any }

var (
	insertInsights = newBulk(`INSERT INTO insights (place, conversation, tenant, number, name, figure, type, ended, seq, metadata, members)
		SELECT place, conversation, tenant, number, name, figure, type, ended, seq, metadata, members FROM %ROWS%`,
		column{"place", bigint}, column{"conversation", bigint}, column{"tenant", bigint}, column{"number", bigint}, column{"name", text},
		column{"figure", bigint}, column{"type", text}, column{"ended", bigint}, column{"seq", bigint}, column{"metadata", text}, column{"members", text})
	insertTermsSQLite  = newBulk("INSERT INTO insight_terms (rowid, terms) SELECT place, terms FROM %ROWS%", termColumns...)
	replaceTermsSQLite = newBulk("INSERT OR REPLACE INTO insight_terms (rowid, terms) SELECT place, terms FROM %ROWS%", termColumns...)
	insertTerms        = newBulk(`INSERT INTO insight_terms (tenant, place, terms) SELECT tenant, place, terms::tsvector FROM %ROWS%
		ON CONFLICT (tenant, place) DO UPDATE SET terms = excluded.terms`, termColumns...)
	insertMetadata = newBulk("INSERT INTO conversation_metadata (tenant, place, name, value, figure) SELECT tenant, place, name, value, figure FROM %ROWS%",
		column{"tenant", bigint}, column{"place", bigint}, column{"name", text}, column{"value", text}, column{"figure", bigint})
	insertLabels = newBulk("INSERT INTO conversation_labels (tenant, place, label, figure, at) SELECT tenant, place, label, figure, at FROM %ROWS%",
		column{"tenant", bigint}, column{"place", bigint}, column{"label", text}, column{"figure", bigint}, column{"at", bigint})
)

var termColumns = []column{{"tenant", bigint}, {"place", bigint}, {"terms", text}}

// insightRows are the rows of an insight; labelled says since when it has those labels that are not new.
func (s *Store) insightRows(tenant, conversation, place int64, in *parley.Insight, labelled map[string]int64) (r insightRows, err error) {
	metadata := []byte(noMetadata)
	if len(in.Metadata) > 0 {
		if metadata, err = json.Marshal(in.Metadata); err != nil {
			return r, err
		}
	}
	members, err := membersText(in.Members)
	if err != nil {
		return r, err
	}
	for name, value := range in.Metadata {
		r.metadata = append(r.metadata, []any{tenant, place, name, value, figure(value)})
	}
	for _, label := range sortedLabels(in.Labels) {
		at, ok := labelled[label]
		if !ok {
			at = s.now().UnixMilli()
		}
		r.labels = append(r.labels, []any{tenant, place, label, figure(label), at})
	}
	r.terms = append(r.terms, []any{tenant, place, s.words.of(tenant, in, s.dialect.unnest)})
	r.insights = append(r.insights, []any{place, conversation, tenant, int64(in.Number), in.Name, figure(cmp.Or(in.Name, in.Number.String())),
		in.Type, in.Ended.UnixMilli(), in.Seq, string(metadata), members})
	return r, nil
}

// add joins the rows of another insight to these.
func (r *insightRows) add(more insightRows) {
	r.insights, r.metadata = append(r.insights, more.insights...), append(r.metadata, more.metadata...)
	r.labels, r.terms = append(r.labels, more.labels...), append(r.terms, more.terms...)
}

func (r *insightRows) write(ctx context.Context, t *tx) error {
	for _, part := range []struct {
		bulk *bulk
		rows [][]any
	}{{insertInsights, r.insights}, {insertMetadata, r.metadata}, {insertLabels, r.labels}} {
		if err := part.bulk.run(ctx, t.conn(), part.rows, discard); err != nil {
			return fmt.Errorf("write insight: %w", err)
		}
	}
	return t.insertTerms(ctx, r.terms)
}

// insertTerms writes rows of tenant, place and words.
func (t *tx) insertTerms(ctx context.Context, rows [][]any) error {
	return t.writeTerms(ctx, insertTermsSQLite, rows)
}

// replaceTerms writes such rows in place of those that are there.
func (t *tx) replaceTerms(ctx context.Context, rows [][]any) error {
	return t.writeTerms(ctx, replaceTermsSQLite, rows)
}

func (t *tx) writeTerms(ctx context.Context, onSQLite *bulk, rows [][]any) error {
	terms := onSQLite
	if t.s.dialect.unnest {
		terms = insertTerms
	}
	if err := terms.run(ctx, t.conn(), rows, discard); err != nil {
		return fmt.Errorf("write words: %w", err)
	}
	return nil
}

// figure is the number that a text is, as an integer in the order of numbers, so that both databases compare it as Go
// does; nil if it is none.
func figure(text string) *int64 {
	f, ok := parley.Figure(text)
	if !ok {
		return nil
	}
	if f == 0 {
		f = 0 // not -0
	}
	bits := int64(math.Float64bits(f))
	if bits < 0 {
		bits ^= math.MaxInt64
	}
	return &bits
}
