package tokens

import (
	"context"
	"crypto/ed25519"
	"crypto/rand"
	"crypto/x509"
	"encoding/hex"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/go-jose/go-jose/v4"

	"parley"
)

const (
	keyLife = 30 * 24 * time.Hour // a key signs for so long
	// keyRest is how long a new key is only published before it signs, so that other nodes know it by then.
	keyRest = time.Minute
	// keyReload is how often at most an unknown kid makes us read the keys again: strangers choose the kid.
	keyReload = time.Second
	// keyRefresh is how often the keys are read again anyway, which is when old ones go.
	keyRefresh = time.Minute
)

// A keyring is the signing keys, read from the records and renewed in time.
type keyring struct {
	records Records
	now     func() time.Time
	keep    time.Duration // after its creation a key verifies for so long

	mu   sync.Mutex
	keys []signingKey // newest first
	read time.Time    // when; zero = never
}

type signingKey struct {
	id      string
	private ed25519.PrivateKey
	created time.Time
}

// signer is the key to sign with now. It makes one if there is none that is young enough.
func (k *keyring) signer(ctx context.Context) (signingKey, error) {
	keys, err := k.fresh(ctx, keyRefresh)
	if err != nil {
		return signingKey{}, err
	}
	now := k.now()
	if len(keys) == 0 || now.Sub(keys[0].created) > keyLife {
		if err := k.make(ctx); err != nil {
			return signingKey{}, err
		}
		if keys, err = k.fresh(ctx, 0); err != nil {
			return signingKey{}, err
		}
	}
	for _, key := range keys {
		if now.Sub(key.created) >= keyRest {
			return key, nil
		}
	}
	if len(keys) == 0 {
		return signingKey{}, fmt.Errorf("the signing key just made is not in the store")
	}
	return keys[len(keys)-1], nil // the very first key: nobody can have older ones
}

// find is the key of that id, if it may still verify.
func (k *keyring) find(ctx context.Context, id string) (signingKey, bool, error) {
	for _, age := range []time.Duration{keyRefresh, keyReload} {
		keys, err := k.fresh(ctx, age)
		if err != nil {
			return signingKey{}, false, err
		}
		for _, key := range keys {
			if key.id == id {
				return key, true, nil
			}
		}
	}
	return signingKey{}, false, nil
}

// fresh is the keys, read again if they were read longer than age ago.
func (k *keyring) fresh(ctx context.Context, age time.Duration) ([]signingKey, error) {
	now := k.now()
	k.mu.Lock()
	if !k.read.IsZero() && now.Sub(k.read) < age {
		defer k.mu.Unlock()
		return k.keys, nil
	}
	k.mu.Unlock() // not held across the query; two readers at once find the same

	var stored []parley.SigningKey
	err := k.records.View(ctx, func(tx parley.Tx) (err error) {
		stored, err = tx.SigningKeys(ctx)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read signing keys: %w", err)
	}
	var keys []signingKey
	for _, s := range stored {
		if now.Sub(s.Created) > k.keep {
			continue
		}
		private, err := x509.ParsePKCS8PrivateKey(s.Private)
		if err != nil {
			return nil, fmt.Errorf("signing key %s: %w", s.ID, err)
		}
		if ed, ok := private.(ed25519.PrivateKey); ok {
			keys = append(keys, signingKey{s.ID, ed, s.Created})
		}
	}
	slices.SortFunc(keys, func(a, b signingKey) int { return b.created.Compare(a.created) })
	k.mu.Lock()
	defer k.mu.Unlock()
	k.keys, k.read = keys, now
	return keys, nil
}

// make adds a key, unless another node did meanwhile, and removes those that no good token can name any more.
func (k *keyring) make(ctx context.Context) error {
	_, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return fmt.Errorf("make signing key: %w", err)
	}
	sealed, err := x509.MarshalPKCS8PrivateKey(private)
	if err != nil {
		return fmt.Errorf("make signing key: %w", err)
	}
	var id [8]byte
	rand.Read(id[:])
	now := k.now().UTC()
	err = k.records.Update(ctx, func(tx parley.Tx) error {
		stored, err := tx.SigningKeys(ctx)
		if err != nil {
			return err
		}
		for _, s := range stored {
			switch age := now.Sub(s.Created); {
			case age <= keyLife:
				return nil
			case age > k.keep:
				if err := tx.DeleteSigningKey(ctx, s.ID); err != nil {
					return err
				}
			}
		}
		return tx.InsertSigningKey(ctx, parley.SigningKey{ID: hex.EncodeToString(id[:]), Private: sealed, Created: now})
	})
	if err != nil {
		return fmt.Errorf("add signing key: %w", err)
	}
	return nil
}

// KeySet is the public keys as a JSON Web Key Set (RFC 7517). It makes the first key if there is none.
func (t *Tokens) KeySet(ctx context.Context) (jose.JSONWebKeySet, error) {
	if _, err := t.keys.signer(ctx); err != nil {
		return jose.JSONWebKeySet{}, err
	}
	keys, err := t.keys.fresh(ctx, keyRefresh)
	if err != nil {
		return jose.JSONWebKeySet{}, err
	}
	var set jose.JSONWebKeySet
	for _, key := range keys {
		set.Keys = append(set.Keys, jose.JSONWebKey{Key: key.private.Public(), KeyID: key.id, Algorithm: string(jose.EdDSA), Use: "sig"})
	}
	return set, nil
}
