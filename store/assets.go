package store

import (
	"context"
	"fmt"
	"time"

	"github.com/uptrace/bun"

	"parley"
)

// InsertAsset implements [parley.Assets].
func (t *tx) InsertAsset(ctx context.Context, a parley.Asset) error {
	tenant, err := t.s.tenantKey(ctx, t.db, a.Tenant)
	if err != nil {
		return err
	}
	_, err = t.db.NewRaw(`INSERT INTO assets (id, tenant, channel_type, sender, name, size, content_type, uploaded, used, created, touched)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`, a.ID[:], tenant, a.ChannelType, string(a.Sender), a.Name, a.Size, a.ContentType,
		flag(a.Uploaded), flag(a.Used), a.Created.UnixMilli(), a.Created.UnixMilli()).Exec(ctx)
	return err
}

// Asset implements [parley.Assets].
func (t *tx) Asset(ctx context.Context, tenant parley.TenantID, id parley.AssetID) (parley.Asset, error) {
	all, err := t.selectAssets(ctx, "WHERE tn.id = ? AND a.id = ?", tenant[:], id[:])
	if err != nil {
		return parley.Asset{}, err
	}
	if len(all) == 0 {
		return parley.Asset{}, errNoAsset
	}
	return all[0], nil
}

var errNoAsset = &parley.Error{Kind: parley.NotFound, Msg: "asset not found"}

// MarkUploaded implements [parley.Assets].
func (t *tx) MarkUploaded(ctx context.Context, tenant parley.TenantID, id parley.AssetID, size int64) error {
	key, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return err
	}
	err = t.one(ctx, "asset", "UPDATE assets SET uploaded = 1, size = ? WHERE tenant = ? AND id = ? AND uploaded = 0", size, key, id[:])
	if parley.KindOf(err) != parley.NotFound {
		return err
	}
	if _, err := t.Asset(ctx, tenant, id); err != nil {
		return err
	}
	return &parley.Error{Kind: parley.Invalid, Reason: parley.BadAsset, Msg: "the asset was uploaded before"}
}

// DeleteAsset implements [parley.Assets].
func (t *tx) DeleteAsset(ctx context.Context, tenant parley.TenantID, id parley.AssetID) error {
	key, err := t.s.tenantKey(ctx, t.db, tenant)
	if err != nil {
		return err
	}
	err = t.one(ctx, "asset", "DELETE FROM assets WHERE tenant = ? AND id = ? AND used = 0", key, id[:])
	if parley.KindOf(err) != parley.NotFound {
		return err
	}
	if _, err := t.Asset(ctx, tenant, id); err != nil {
		return err
	}
	return &parley.Error{Kind: parley.Forbidden, Reason: parley.AssetInUse, Msg: "a message uses the asset"}
}

// UnusedAssets implements [parley.Assets].
func (t *tx) UnusedAssets(ctx context.Context, before time.Time, limit int) ([]parley.Asset, error) {
	return t.selectAssets(ctx, "WHERE a.used = 0 AND a.created < ? ORDER BY a.created LIMIT ?", before.UnixMilli(), limit)
}

func (t *tx) selectAssets(ctx context.Context, rest string, args ...any) ([]parley.Asset, error) {
	rows, err := t.db.QueryContext(ctx, `SELECT a.id, tn.id, a.channel_type, a.sender, a.name, a.size, a.content_type, a.uploaded, a.used, a.created
		FROM assets AS a JOIN tenants AS tn ON tn.key = a.tenant `+rest, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var all []parley.Asset
	for rows.Next() {
		var a parley.Asset
		var id, tenant []byte
		var uploaded, used, created int64
		if err := rows.Scan(&id, &tenant, &a.ChannelType, &a.Sender, &a.Name, &a.Size, &a.ContentType, &uploaded, &used, &created); err != nil {
			return nil, err
		}
		a.ID, a.Tenant, a.Uploaded, a.Used, a.Created = parley.AssetID(id), parley.TenantID(tenant), uploaded != 0, used != 0, moment(&created)
		all = append(all, a)
	}
	return all, rows.Err()
}

// useAssets says that a message uses files, each as often as it is named.
func (s *Store) useAssets(ctx context.Context, t bun.Tx, tenant int64, assets []parley.AssetID) error {
	now := s.now().UnixMilli()
	for _, id := range assets {
		if _, err := t.NewRaw("UPDATE assets SET used = used + 1, touched = ? WHERE tenant = ? AND id = ?", now, tenant, id[:]).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// releaseAssets says that what used files does so no more.
func releaseAssets(ctx context.Context, t bun.Tx, tenant int64, assets []parley.AssetID) error {
	for _, id := range assets {
		if _, err := t.NewRaw("UPDATE assets SET used = used - 1 WHERE tenant = ? AND id = ? AND used > 0", tenant, id[:]).Exec(ctx); err != nil {
			return fmt.Errorf("release a file: %w", err)
		}
	}
	return nil
}
