package api

import (
	"context"
	"crypto/sha256"
	"strings"
	"sync"
	"time"

	"parley"
)

// A KeyOpener opens keys; [parley/directory.Administration] does.
type KeyOpener interface {
	Open(ctx context.Context, kind parley.KeyKind, whole string) (parley.APIClient, error)
}

// keyFor is how long a key that was good is not looked up again: so long a revoked one may still be used.
const keyFor = 5 * time.Second

// Keys opens the keys that come with every request of a surface. Safe for concurrent use.
type Keys struct {
	opener KeyOpener
	kind   parley.KeyKind
	now    func() time.Time
	known  sync.Map // by hash; as many as there are good keys
}

type knownKey struct {
	key   parley.APIClient
	until time.Time
}

// NewKeys opens keys of one kind.
func NewKeys(opener KeyOpener, kind parley.KeyKind, now func() time.Time) *Keys {
	return &Keys{opener: opener, kind: kind, now: now}
}

// Open is the key that a string is. Unauthenticated for what is none, has expired or was revoked.
func (k *Keys) Open(ctx context.Context, whole string) (parley.APIClient, error) {
	whole = strings.TrimSpace(whole)
	name := sha256.Sum256([]byte(whole))
	if known, ok := k.known.Load(name); ok && k.now().Before(known.(knownKey).until) {
		return known.(knownKey).key, nil
	}
	key, err := k.opener.Open(ctx, k.kind, whole)
	if err != nil {
		k.known.Delete(name)
		return key, err
	}
	until := k.now().Add(keyFor)
	if !key.Expires.IsZero() && key.Expires.Before(until) {
		until = key.Expires
	}
	k.known.Store(name, knownKey{key, until})
	return key, nil
}
