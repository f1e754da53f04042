package notify

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/rand"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"io"
	"net/http"
	"strconv"
	"strings"
	"time"

	"parley"
	"parley/egress"
	"parley/signing"
)

// The values of X-Message-Type (reference/analytics.md 9).
const (
	kindChallenge    = "webhook_callback_verification"
	kindNotification = "notification"
	kindRevocation   = "revocation"
)

// A failure says why a call does not count, in words without addresses and without what a stranger answered. "" is none.
type failure string

// gone is the failure of a target that wants to hear no more.
const gone failure = "the target answered 410"

// maxAnswer is how many bytes of an answer are read.
const maxAnswer = 4 << 10

// post makes one call.
func (n *Notifier) post(ctx context.Context, s *parley.Subscription, kind, id string, body []byte) failure {
	_, wrong := n.call(ctx, s, kind, id, body)
	return wrong
}

func (n *Notifier) call(ctx context.Context, s *parley.Subscription, kind, id string, body []byte) (answer []byte, wrong failure) {
	answer, wrong = n.send(ctx, s, kind, id, body)
	outcome := "good"
	if wrong != "" {
		outcome = "failed"
	}
	n.metrics.calls.WithLabelValues(kind, outcome).Inc()
	return answer, wrong
}

func (n *Notifier) send(ctx context.Context, s *parley.Subscription, kind, id string, body []byte) ([]byte, failure) {
	ctx, cancel := context.WithTimeout(ctx, n.config.Answer)
	defer cancel()
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, s.Target, bytes.NewReader(body))
	if err != nil {
		return nil, "the target is no URL that can be posted to"
	}
	now := n.now()
	if err := signing.Stamp(r.Header, []string{standardSecret(s.Secret)}, id, now, body); err != nil {
		return nil, failure(err.Error()) // which holds no secret
	}
	at := now.Format(time.RFC3339)
	r.Header.Set("X-Message-Type", kind)
	r.Header.Set("X-Message-Id", id)
	r.Header.Set("X-Message-Timestamp", at)
	r.Header.Set("X-Message-Signature", Signature(s.Secret, id, at, body))
	answer, err := n.config.Client.Do(r)
	if err != nil {
		return nil, failure(egress.Plain(err).Error())
	}
	defer answer.Body.Close()
	text, err := io.ReadAll(io.LimitReader(answer.Body, maxAnswer))
	switch {
	case answer.StatusCode == http.StatusGone:
		return nil, gone
	case answer.StatusCode/100 != 2:
		return nil, failure("the target answered " + strconv.Itoa(answer.StatusCode))
	case err != nil && ctx.Err() != nil:
		return nil, "no answer in time"
	}
	return text, ""
}

// standardSecret is a secret as Standard Webhooks has them: of a text that is not already in that form, the bytes.
func standardSecret(secret string) string {
	const prefix = "whsec_"
	if rest, ok := strings.CutPrefix(secret, prefix); ok {
		if _, err := base64.StdEncoding.DecodeString(rest); err == nil {
			return secret
		}
	}
	return prefix + base64.StdEncoding.EncodeToString([]byte(secret))
}

// Signature is the value of X-Message-Signature: HMAC-SHA256 with the secret over id, timestamp and body, one right after the other.
func Signature(secret, id, timestamp string, body []byte) string {
	mac := hmac.New(sha256.New, []byte(secret))
	mac.Write([]byte(id + timestamp))
	mac.Write(body)
	return "sha256=" + hex.EncodeToString(mac.Sum(nil))
}

// challenge asks a target: it must answer with the challenge, as text or as the member of that name of a JSON object.
func (n *Notifier) challenge(ctx context.Context, s *parley.Subscription) failure {
	challenge := rand.Text()
	body, err := n.config.Form.Challenge(s, challenge)
	if err != nil {
		return failure("the challenge cannot be written")
	}
	answer, wrong := n.call(ctx, s, kindChallenge, s.ID.String(), body)
	if wrong != "" {
		return wrong
	}
	var object struct {
		Challenge string `json:"challenge"`
	}
	if json.Unmarshal(answer, &object) != nil {
		object.Challenge = strings.TrimSpace(string(answer))
	}
	if subtle.ConstantTimeCompare([]byte(object.Challenge), []byte(challenge)) != 1 {
		return "the target did not answer with the challenge"
	}
	return ""
}
