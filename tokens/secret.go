package tokens

import (
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
)

// NewSecret is a secret of at least 255 bits as text of 43 characters that is safe in a URL, a form and a shell, and after an option of a
// command: it begins with no dash.
func NewSecret() string {
	for {
		var b [32]byte
		rand.Read(b[:]) // never fails: it ends the program instead
		if s := base64.RawURLEncoding.EncodeToString(b[:]); s[0] != '-' {
			return s
		}
	}
}

// HashSecret is what is kept of a secret. A plain SHA-256 is enough because the secret has 256 bits of its own; secrets
// that an operator chose (bootstrap) are as strong as they were chosen.
func HashSecret(secret string) []byte {
	sum := sha256.Sum256([]byte(secret))
	return sum[:]
}

// SecretMatches compares in constant time. An empty hash matches nothing.
func SecretMatches(hash []byte, secret string) bool {
	return len(hash) == sha256.Size && subtle.ConstantTimeCompare(hash, HashSecret(secret)) == 1
}
