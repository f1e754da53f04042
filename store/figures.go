package store

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"time"

	"parley"
)

// FigureSettings implements [parley.Figures].
func (t *tx) FigureSettings(ctx context.Context, tenant parley.TenantID) (s parley.FigureSettings, err error) {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return s, err
	}
	var stored string
	err = t.db.NewRaw("SELECT settings FROM figure_settings WHERE tenant = ?", owner).Scan(ctx, &stored)
	if errors.Is(err, sql.ErrNoRows) {
		return s, nil
	}
	if err != nil {
		return s, fmt.Errorf("read settings of figures: %w", err)
	}
	return s, json.Unmarshal([]byte(stored), &s)
}

// PutFigureSettings implements [parley.Figures].
func (t *tx) PutFigureSettings(ctx context.Context, tenant parley.TenantID, s parley.FigureSettings) error {
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return err
	}
	stored, err := json.Marshal(&s)
	if err != nil {
		return err
	}
	return t.run(ctx, "INSERT INTO figure_settings (tenant, settings) VALUES (?, ?) ON CONFLICT (tenant) DO UPDATE SET settings = excluded.settings", owner, string(stored))
}

// FigureProgress implements [parley.Figures].
func (t *tx) FigureProgress(ctx context.Context) (p parley.FigureProgress, err error) {
	var stored string
	if err := t.db.QueryRowContext(ctx, "SELECT version, progress FROM figure_progress").Scan(&p.Version, &stored); err != nil {
		return p, fmt.Errorf("read progress of figures: %w", err)
	}
	return p, json.Unmarshal([]byte(stored), &p)
}

// putProgress keeps the progress unless somebody else did so since it was read.
func (t *tx) putProgress(ctx context.Context, p *parley.FigureProgress) error {
	stored, err := json.Marshal(p)
	if err != nil {
		return err
	}
	err = t.one(ctx, "progress", "UPDATE figure_progress SET version = version + 1, progress = ? WHERE version = ?", string(stored), p.Version)
	if parley.KindOf(err) == parley.NotFound {
		return &parley.Error{Kind: parley.Conflict, Msg: "somebody else counted meanwhile"}
	}
	return err
}

const dimensionColumns = "d.key, d.series, tn.id, d.bot, d.version, d.channel, d.language, d.campaign, d.source, d.owner FROM visit_dimensions AS d JOIN tenants AS tn ON tn.key = d.tenant "

func (t *tx) dimensions(ctx context.Context, rest string, args ...any) (all []parley.KnownDimension, err error) {
	err = query(ctx, t.db, "SELECT "+dimensionColumns+rest, args, func(rows *sql.Rows) error {
		d, err := scanDimension(rows)
		all = append(all, d)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read dimensions of figures: %w", err)
	}
	return all, nil
}

// scanDimension reads a row of dimensionColumns; more are the columns that follow.
func scanDimension(rows *sql.Rows, more ...any) (d parley.KnownDimension, err error) {
	var tenant, bot []byte
	err = rows.Scan(append([]any{&d.Key, &d.Series, &tenant, &bot, &d.Version, &d.Channel, &d.Language, &d.Campaign, &d.CampaignSource, &d.Owner}, more...)...)
	if err == nil {
		d.Tenant, d.Bot = parley.TenantID(tenant), parley.ApplicationID(bot)
	}
	return d, err
}

// VisitDimensions implements [parley.Figures].
func (t *tx) VisitDimensions(ctx context.Context, tenant parley.TenantID) ([]parley.KnownDimension, error) {
	p, err := t.FigureProgress(ctx)
	if err != nil {
		return nil, err
	}
	owner, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return nil, err
	}
	return t.dimensions(ctx, "WHERE d.generation = ? AND d.tenant = ? ORDER BY d.key", p.Generation, owner)
}

// AllDimensions implements [parley.Figures].
func (t *tx) AllDimensions(ctx context.Context, generation int64) ([]parley.KnownDimension, error) {
	return t.dimensions(ctx, "WHERE d.generation = ? ORDER BY d.key", generation)
}

var insertDimensions = newBulk(`INSERT INTO visit_dimensions (generation, tenant, bot, version, channel, language, campaign, source, owner)
	SELECT generation, tenant, bot, version, channel, language, campaign, source, owner FROM %ROWS% WHERE true ON CONFLICT DO NOTHING RETURNING key`,
	column{"generation", bigint}, column{"tenant", bigint}, column{"bot", bytea}, column{"version", text}, column{"channel", text},
	column{"language", text}, column{"campaign", text}, column{"source", text}, column{"owner", text})

// AddDimensions implements [parley.Figures].
func (t *tx) AddDimensions(ctx context.Context, generation int64, all []parley.Dimensions) ([]parley.KnownDimension, error) {
	var rows [][]any
	for _, d := range all {
		owner, err := t.s.tenantKey(ctx, t.db, d.Tenant)
		if err != nil {
			return nil, err
		}
		rows = append(rows, []any{generation, owner, d.Bot[:], d.Version, d.Channel, d.Language, d.Campaign, d.CampaignSource, string(d.Owner)})
	}
	if err := insertDimensions.run(ctx, t.conn(), rows, discard); err != nil {
		return nil, fmt.Errorf("add dimensions of figures: %w", err)
	}
	if err := t.run(ctx, `UPDATE visit_dimensions SET series = (SELECT MIN(x.key) FROM visit_dimensions AS x
		WHERE x.generation = visit_dimensions.generation AND x.tenant = visit_dimensions.tenant AND x.bot = visit_dimensions.bot) WHERE series = 0`); err != nil {
		return nil, fmt.Errorf("group dimensions of figures: %w", err)
	}
	var known []parley.KnownDimension
	for i, d := range all {
		k := parley.KnownDimension{Dimensions: d}
		r := rows[i]
		if err := t.db.NewRaw(`SELECT key, series FROM visit_dimensions WHERE generation = ? AND tenant = ? AND bot = ? AND version = ? AND channel = ? AND language = ?
			AND campaign = ? AND source = ? AND owner = ?`, r...).Scan(ctx, &k.Key, &k.Series); err != nil {
			return nil, fmt.Errorf("find dimensions of figures: %w", err)
		}
		known = append(known, k)
	}
	return known, nil
}

// MessagesFed implements [parley.Figures].
func (t *tx) MessagesFed(ctx context.Context, after, before int64, limit int) (places []parley.FedPlace, err error) {
	err = query(ctx, t.db, "SELECT key, conversation FROM messages WHERE key > ? AND key < ? ORDER BY key LIMIT ?", []any{after, before, limit}, func(rows *sql.Rows) error {
		var p parley.FedPlace
		err := rows.Scan(&p.Key, &p.Conversation)
		places = append(places, p)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("follow messages: %w", err)
	}
	return places, nil
}

// ConversationKeys implements [parley.Figures].
func (t *tx) ConversationKeys(ctx context.Context, after int64, limit int) (keys []int64, err error) {
	err = t.db.NewRaw("SELECT key FROM conversations WHERE key > ? ORDER BY key LIMIT ?", after, limit).Scan(ctx, &keys)
	return keys, err
}

// LastConversation implements [parley.Figures].
func (t *tx) LastConversation(ctx context.Context) (key int64, err error) {
	err = t.db.NewRaw("SELECT COALESCE(MAX(key), 0) FROM conversations").Scan(ctx, &key)
	return key, err
}

// ChangedConversations implements [parley.Figures].
func (t *tx) ChangedConversations(ctx context.Context, limit int) (all []parley.ChangedConversation, err error) {
	err = query(ctx, t.db, "SELECT key, conversation, whole FROM figure_changes ORDER BY key LIMIT ?", []any{limit}, func(rows *sql.Rows) error {
		var c parley.ChangedConversation
		var whole int64
		err := rows.Scan(&c.Key, &c.Conversation, &whole)
		c.Whole = whole != 0
		all = append(all, c)
		return err
	})
	return all, err
}

var insertChanges = newBulk("INSERT INTO figure_changes (conversation, whole) SELECT conversation, whole FROM %ROWS%", column{"conversation", bigint}, column{"whole", bigint})

// recount notes that a conversation is to be counted anew.
func (t *tx) recount(ctx context.Context, conversation int64) error {
	return t.run(ctx, "INSERT INTO figure_changes (conversation, whole) VALUES (?, 1)", conversation)
}

// SilentVisits implements [parley.Figures].
func (t *tx) SilentVisits(ctx context.Context, generation int64, now time.Time, limit int) (keys []int64, err error) {
	err = t.db.NewRaw("SELECT conversation FROM visits WHERE generation = ? AND closes <= ? ORDER BY closes LIMIT ?", generation, now.UnixMilli(), limit).Scan(ctx, &keys)
	return keys, err
}

// FindBot implements [parley.Figures].
func (t *tx) FindBot(ctx context.Context, id [16]byte) (tenant parley.TenantID, bot parley.ApplicationID, err error) {
	noBot := &parley.Error{Kind: parley.NotFound, Msg: "bot not found"}
	var owner []byte
	var kind parley.ObjectKind
	err = t.db.QueryRowContext(ctx, "SELECT tn.id, o.kind FROM objects AS o JOIN tenants AS tn ON tn.key = o.tenant WHERE o.id = ? AND o.kind IN (?, ?) AND o.built_in = 0",
		id[:], string(parley.KindApplication), string(parley.KindParticipant)).Scan(&owner, &kind)
	if errors.Is(err, sql.ErrNoRows) {
		return tenant, bot, noBot
	}
	if err != nil {
		return tenant, bot, fmt.Errorf("find bot: %w", err)
	}
	tenant, bot = parley.TenantID(owner), parley.ApplicationID(id)
	if kind == parley.KindParticipant {
		p, err := t.Participants().Find(ctx, tenant, parley.ParticipantID(id))
		if err != nil {
			return tenant, bot, err
		}
		bot = p.Application
	}
	app, err := t.Applications().Find(ctx, tenant, bot)
	if err != nil {
		return tenant, bot, err
	}
	if !slices.ContainsFunc(app.Roles, func(r parley.ApplicationRole) bool { return r.Name.IsBot() }) {
		return tenant, bot, noBot
	}
	return tenant, bot, nil
}
