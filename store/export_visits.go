package store

import (
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"database/sql"
	"encoding/binary"
	"fmt"
	"strings"

	"parley"
)

// changedIn is when visits changed that are written with a version of the progress: later in each generation than in the one before.
func changedIn(generation, version int64) int64 { return generation<<40 + version }

// selectExported reads a page along its index before it looks at anything else: what is beside visits is looked up row by row, since a planner
// that knows little of a young table would join all of it, and sort, for every page.
const selectExported = "SELECT d.key, d.series, tn.id, d.bot, d.version, d.channel, d.language, d.campaign, d.source, d.owner" + visitColumns + `, v.changed, c.id
	FROM (SELECT v.* FROM visits AS v WHERE v.generation = ? AND v.tenant = ? AND (v.changed, v.conversation, v.part) > (?, ?, ?)%WHERE%
		ORDER BY v.changed, v.conversation, v.part LIMIT ?) AS v
	JOIN visit_dimensions AS d ON d.key = v.dimension JOIN tenants AS tn ON tn.key = d.tenant LEFT JOIN conversations AS c ON c.key = v.conversation
	ORDER BY v.changed, v.conversation, v.part`

// ExportedVisits implements [parley.Exports].
func (t *tx) ExportedVisits(ctx context.Context, q parley.VisitQuery) (found []parley.ExportedVisit, err error) {
	owner, err := t.s.tenantKey(ctx, t.db, q.Tenant)
	if err != nil {
		return nil, err
	}
	p, err := t.FigureProgress(ctx)
	if err != nil {
		return nil, err
	}
	var salt []byte
	if err := t.db.QueryRowContext(ctx, "SELECT salt FROM figure_progress").Scan(&salt); err != nil {
		return nil, fmt.Errorf("read the salt of visits: %w", err)
	}
	text, args := exportedVisits(&q, p.Generation, owner)
	err = query(ctx, t.db, text, args, func(rows *sql.Rows) error {
		var changed int64
		var of []byte
		v, err := scanVisit(rows, &changed, &of)
		if err != nil {
			return err
		}
		e := parley.ExportedVisit{Visit: v.Visit, Place: parley.VisitPlace{Changed: changed, Conversation: v.Conversation, Part: int64(v.Part)}}
		e.ID = visitID(salt, v.Conversation, v.Part)
		if of != nil {
			e.Of = parley.ConversationID(of)
		}
		found = append(found, e)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("read visits to export: %w", err)
	}
	return found, nil
}

// exportedVisits is the query of a page.
func exportedVisits(q *parley.VisitQuery, generation, tenant int64) (text string, args []any) {
	args = []any{generation, tenant, q.After.Changed, q.After.Conversation, q.After.Part}
	and := func(wanted bool, condition string, arg any) {
		if wanted {
			text, args = text+" AND "+condition, append(args, arg)
		}
	}
	and(!q.From.IsZero(), "v.started >= ?", q.From.UnixMilli())
	and(!q.Until.IsZero(), "v.started < ?", q.Until.UnixMilli())
	and(!q.Bot.IsZero(), "(SELECT d.bot FROM visit_dimensions AS d WHERE d.key = v.dimension) = ?", q.Bot[:])
	and(q.Channel != "", "(SELECT d.channel FROM visit_dimensions AS d WHERE d.key = v.dimension) = ?", q.Channel)
	return strings.Replace(selectExported, "%WHERE%", text, 1), append(args, q.Limit)
}

// visitID is a UUID (version 8) that only who has the salt can make.
func visitID(salt []byte, conversation int64, part int) (id parley.VisitID) {
	h := hmac.New(sha256.New, salt)
	_ = binary.Write(h, binary.BigEndian, [2]int64{conversation, int64(part)}) // a hash takes everything
	copy(id[:], h.Sum(nil))
	id[6], id[8] = id[6]&0x0f|0x80, id[8]&0x3f|0x80
	return id
}
