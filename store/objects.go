package store

import (
	"context"
	"encoding/json"
	"fmt"
	"strings"
	"unicode/utf8"

	"parley"
)

// Configuration objects of all kinds share one table, and this one implementation of [parley.Objects]; what differs
// between kinds is a few functions.

// objects implements [parley.Objects] inside a transaction.
type objects[T any] struct {
	t *tx
	objectKind[T]
}

// An objectKind says how one kind of object is stored.
type objectKind[T any] struct {
	kind   parley.ObjectKind
	sealed bool // holds secrets
	id     func(*T) *parley.ID[T]
	base   func(*T) *parley.Base
	// unique is what no two objects of a tenant share, and the member's name on the wire; "" = nothing.
	unique  func(*T) (value, field string)
	address func(*T) string // what AccountByAddress looks for; nil = the kind has none
	builtIn func(*T) bool   // nil = never
}

var (
	authentications = objectKind[parley.Authentication]{
		kind: parley.KindAuthentication, sealed: true,
		id:     func(o *parley.Authentication) *parley.AuthenticationID { return &o.ID },
		base:   func(o *parley.Authentication) *parley.Base { return &o.Base },
		unique: func(o *parley.Authentication) (string, string) { return o.Name, "name" },
	}
	applications = objectKind[parley.ClientApplication]{
		kind: parley.KindApplication, sealed: true,
		id:      func(o *parley.ClientApplication) *parley.ApplicationID { return &o.ID },
		base:    func(o *parley.ClientApplication) *parley.Base { return &o.Base },
		unique:  func(o *parley.ClientApplication) (string, string) { return o.Name, "name" },
		builtIn: func(o *parley.ClientApplication) bool { return o.BuiltIn },
	}
	participants = objectKind[parley.Participant]{
		kind:   parley.KindParticipant,
		id:     func(o *parley.Participant) *parley.ParticipantID { return &o.ID },
		base:   func(o *parley.Participant) *parley.Base { return &o.Base },
		unique: func(o *parley.Participant) (string, string) { return o.Name, "name" },
	}
	channels = objectKind[parley.Channel]{
		kind:    parley.KindChannel,
		id:      func(o *parley.Channel) *parley.ChannelID { return &o.ID },
		base:    func(o *parley.Channel) *parley.Base { return &o.Base },
		unique:  func(o *parley.Channel) (string, string) { return o.Type, "type" },
		builtIn: func(o *parley.Channel) bool { return o.BuiltIn },
	}
	orchestrations = objectKind[parley.Orchestration]{
		kind:   parley.KindOrchestration,
		id:     func(o *parley.Orchestration) *parley.OrchestrationID { return &o.ID },
		base:   func(o *parley.Orchestration) *parley.Base { return &o.Base },
		unique: func(*parley.Orchestration) (string, string) { return "", "" }, // names repeat (reference 6)
	}
	accounts = objectKind[parley.Account]{
		kind:    parley.KindAccount,
		id:      func(o *parley.Account) *parley.AccountID { return &o.ID },
		base:    func(o *parley.Account) *parley.Base { return &o.Base },
		unique:  func(o *parley.Account) (string, string) { return o.Name, "name" },
		address: func(o *parley.Account) string { return o.Address },
	}
)

// Authentications implements [parley.Tx], as do the five below.
func (t *tx) Authentications() parley.Objects[parley.Authentication] {
	return objects[parley.Authentication]{t, authentications}
}

func (t *tx) Applications() parley.Objects[parley.ClientApplication] {
	return objects[parley.ClientApplication]{t, applications}
}

func (t *tx) Participants() parley.Objects[parley.Participant] {
	return objects[parley.Participant]{t, participants}
}

func (t *tx) Channels() parley.Objects[parley.Channel] {
	return objects[parley.Channel]{t, channels}
}

func (t *tx) Orchestrations() parley.Objects[parley.Orchestration] {
	return objects[parley.Orchestration]{t, orchestrations}
}

func (t *tx) Accounts() parley.Objects[parley.Account] {
	return objects[parley.Account]{t, accounts}
}

// Insert implements [parley.Objects].
func (o objects[T]) Insert(ctx context.Context, object *T, refers []parley.Reference) error {
	base, id := o.base(object), *o.id(object)
	tenant, err := o.t.s.tenantKey(ctx, o.t.db, base.Tenant)
	if err != nil {
		return err
	}
	body, err := o.seal(object)
	if err != nil {
		return err
	}
	var key int64
	err = o.t.db.NewRaw(`INSERT INTO objects (tenant, kind, id, unique_name, address, active, built_in, created, modified, body)
		VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING key`,
		tenant, string(o.kind), id[:], o.uniqueName(object), o.addressOf(object), flag(base.Active), flag(o.builtIn != nil && o.builtIn(object)),
		base.Created.UnixMilli(), base.Modified.UnixMilli(), body).Scan(ctx, &key)
	if err != nil {
		return o.taken(err, object)
	}
	return o.refer(ctx, tenant, key, refers)
}

// Replace implements [parley.Objects].
func (o objects[T]) Replace(ctx context.Context, object *T, refers []parley.Reference) error {
	base, id := o.base(object), *o.id(object)
	key, err := o.key(ctx, base.Tenant, id)
	if err != nil {
		return err
	}
	body, err := o.seal(object)
	if err != nil {
		return err
	}
	if err := o.t.one(ctx, string(o.kind), `UPDATE objects SET unique_name = ?, address = ?, active = ?, modified = ?, body = ? WHERE key = ?`,
		o.uniqueName(object), o.addressOf(object), flag(base.Active), base.Modified.UnixMilli(), body, key); err != nil {
		return o.taken(err, object)
	}
	if _, err := o.t.db.NewRaw("DELETE FROM object_references WHERE holder = ?", key).Exec(ctx); err != nil {
		return err
	}
	tenant, err := o.t.s.tenantKey(ctx, o.t.db, base.Tenant)
	if err != nil {
		return err
	}
	return o.refer(ctx, tenant, key, refers)
}

// refer records whom an object refers to; Invalid/BadReference if one of them is not there.
func (o objects[T]) refer(ctx context.Context, tenant, holder int64, refers []parley.Reference) error {
	for _, r := range refers {
		var target int64
		if err := o.t.db.NewRaw("SELECT key FROM objects WHERE tenant = ? AND kind = ? AND id = ?", tenant, string(r.Kind), r.ID[:]).Scan(ctx, &target); err != nil {
			if parley.KindOf(notFound(err, "")) == parley.NotFound {
				return &parley.Error{Kind: parley.Invalid, Reason: parley.BadReference, Msg: "there is no " + string(r.Kind) + " of that id"}
			}
			return err
		}
		if _, err := o.t.db.NewRaw("INSERT INTO object_references (holder, target) VALUES (?, ?) ON CONFLICT DO NOTHING", holder, target).Exec(ctx); err != nil {
			return err
		}
	}
	return nil
}

// Find implements [parley.Objects].
func (o objects[T]) Find(ctx context.Context, tenant parley.TenantID, id parley.ID[T]) (T, error) {
	all, err := o.find(ctx, tenant, "AND o.id = ?", id[:])
	if err != nil || len(all) == 0 {
		var none T
		return none, orUnknown(err, o.kind)
	}
	return all[0], nil
}

// List implements [parley.Objects].
func (o objects[T]) List(ctx context.Context, tenant parley.TenantID, offset, limit int) (page []T, count int, err error) {
	err = o.t.db.NewRaw(`SELECT count(*) FROM objects AS o JOIN tenants AS tn ON tn.key = o.tenant WHERE tn.id = ? AND o.kind = ?`,
		tenant[:], string(o.kind)).Scan(ctx, &count)
	if err != nil {
		return nil, 0, err
	}
	page, err = o.find(ctx, tenant, "ORDER BY o.created, o.id LIMIT ? OFFSET ?", limit, offset)
	return page, count, err
}

// Delete implements [parley.Objects]. Should somebody still refer to the object, the database refuses.
func (o objects[T]) Delete(ctx context.Context, tenant parley.TenantID, id parley.ID[T]) error {
	key, err := o.key(ctx, tenant, id)
	if err != nil {
		return err
	}
	err = o.t.one(ctx, string(o.kind), "DELETE FROM objects WHERE key = ?", key)
	if isReferred(err) {
		return &parley.Error{Kind: parley.Invalid, Reason: parley.InUse, Msg: "the " + string(o.kind) + " is in use", Err: err}
	}
	return err
}

// maxUsers is how many users of an object are listed: as many as an error body has details (reference 1.4).
const maxUsers = 30

// Users implements [parley.Objects].
func (o objects[T]) Users(ctx context.Context, tenant parley.TenantID, id parley.ID[T]) ([]parley.Reference, error) {
	rows, err := o.t.db.QueryContext(ctx, `SELECT h.kind, h.id FROM object_references AS r JOIN objects AS h ON h.key = r.holder
		JOIN objects AS o ON o.key = r.target JOIN tenants AS tn ON tn.key = o.tenant
		WHERE tn.id = ? AND o.kind = ? AND o.id = ? ORDER BY h.created, h.id LIMIT ?`, tenant[:], string(o.kind), id[:], maxUsers)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	var users []parley.Reference
	for rows.Next() {
		var kind string
		var id []byte
		if err := rows.Scan(&kind, &id); err != nil {
			return nil, err
		}
		users = append(users, parley.Reference{Kind: parley.ObjectKind(kind), ID: [16]byte(id)})
	}
	return users, rows.Err()
}

// key is the key of an object's row.
func (o objects[T]) key(ctx context.Context, tenant parley.TenantID, id parley.ID[T]) (int64, error) {
	var key int64
	err := o.t.db.NewRaw("SELECT o.key FROM objects AS o JOIN tenants AS tn ON tn.key = o.tenant WHERE tn.id = ? AND o.kind = ? AND o.id = ?",
		tenant[:], string(o.kind), id[:]).Scan(ctx, &key)
	return key, notFound(err, string(o.kind))
}

// find reads the tenant's objects of this kind; rest goes on after the conditions on both.
func (o objects[T]) find(ctx context.Context, tenant parley.TenantID, rest string, args ...any) ([]T, error) {
	args = append([]any{tenant[:], string(o.kind)}, args...)
	rows, err := o.t.db.QueryContext(ctx, `SELECT o.id, o.created, o.modified, o.body FROM objects AS o JOIN tenants AS tn ON tn.key = o.tenant
		WHERE tn.id = ? AND o.kind = ? `+rest, args...)
	if err != nil {
		return nil, err
	}
	defer rows.Close()
	all := []T{}
	for rows.Next() {
		var id, body []byte
		var created, modified int64
		if err := rows.Scan(&id, &created, &modified, &body); err != nil {
			return nil, err
		}
		object, err := o.open(tenant, parley.ID[T](id), body)
		if err != nil {
			return nil, err
		}
		base := o.base(&object)
		base.Created, base.Modified = moment(&created), moment(&modified)
		all = append(all, object)
	}
	return all, rows.Err()
}

// place binds a sealed body to its object, so that it cannot be moved to another.
func (o objects[T]) place(tenant parley.TenantID, id parley.ID[T]) []byte {
	return append(append([]byte("objects.body:"+string(o.kind)+":"), tenant[:]...), id[:]...)
}

func (o objects[T]) seal(object *T) ([]byte, error) {
	body, err := json.Marshal(object)
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", o.kind, err)
	}
	if !o.sealed {
		return body, nil
	}
	sealed, err := o.t.s.config.Seal.Encrypt(body, o.place(o.base(object).Tenant, *o.id(object)))
	if err != nil {
		return nil, fmt.Errorf("seal %s: %w", o.kind, err)
	}
	return sealed, nil
}

func (o objects[T]) open(tenant parley.TenantID, id parley.ID[T], body []byte) (object T, err error) {
	if o.sealed {
		if body, err = o.t.s.config.Seal.Decrypt(body, o.place(tenant, id)); err != nil {
			return object, fmt.Errorf("open %s %s (is this the keyset it was sealed with?): %w", o.kind, id, err)
		}
	}
	if err := json.Unmarshal(body, &object); err != nil {
		return object, fmt.Errorf("read %s %s: %w", o.kind, id, err)
	}
	*o.id(&object), o.base(&object).Tenant = id, tenant
	return object, nil
}

// uniqueName is the value of the column: NULL where nothing needs to be unique.
func (o objects[T]) uniqueName(object *T) *string {
	if name, _ := o.unique(object); name != "" {
		return &name
	}
	return nil
}

func (o objects[T]) addressOf(object *T) *string {
	if o.address == nil {
		return nil
	}
	address := o.address(object)
	return &address
}

// taken turns the refusal of a unique index into NameTaken.
func (o objects[T]) taken(err error, object *T) error {
	if !isUnique(err) {
		return err
	}
	_, field := o.unique(object)
	return &parley.Error{Kind: parley.Invalid, Reason: parley.NameTaken, Field: field, Msg: "is already in use", Err: err}
}

func orUnknown(err error, kind parley.ObjectKind) error {
	if err != nil {
		return err
	}
	return &parley.Error{Kind: parley.NotFound, Msg: string(kind) + " not found"}
}

// findable says whether a text may be looked for at all. PostgreSQL refuses NUL and broken UTF-8 as wrong statements; as
// nothing that holds them can have been stored, there is simply nothing to find.
func findable(texts ...string) bool {
	for _, s := range texts {
		if strings.IndexByte(s, 0) >= 0 || !utf8.ValidString(s) {
			return false
		}
	}
	return true
}

// AccountByAddress implements [parley.Tx].
func (t *tx) AccountByAddress(ctx context.Context, tenant parley.TenantID, channelType, address string) (parley.Account, error) {
	if !findable(channelType, address) {
		return parley.Account{}, orUnknown(nil, parley.KindAccount)
	}
	all, err := objects[parley.Account]{t, accounts}.find(ctx, tenant, `AND o.address = ? AND o.active = 1 AND EXISTS (
		SELECT 1 FROM object_references AS r JOIN objects AS c ON c.key = r.target
		WHERE r.holder = o.key AND c.kind = ? AND c.unique_name = ? AND c.active = 1) ORDER BY o.created, o.id LIMIT 1`,
		address, string(parley.KindChannel), channelType)
	if err != nil || len(all) == 0 {
		return parley.Account{}, orUnknown(err, parley.KindAccount)
	}
	return all[0], nil
}

// ChannelByType implements [parley.Tx].
func (t *tx) ChannelByType(ctx context.Context, tenant parley.TenantID, channelType string) (parley.Channel, error) {
	if !findable(channelType) {
		return parley.Channel{}, orUnknown(nil, parley.KindChannel)
	}
	all, err := objects[parley.Channel]{t, channels}.find(ctx, tenant, "AND o.unique_name = ?", channelType)
	if err != nil || len(all) == 0 {
		return parley.Channel{}, orUnknown(err, parley.KindChannel)
	}
	return all[0], nil
}
