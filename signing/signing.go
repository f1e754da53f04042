// Package signing proves to whoever is called that the hub calls: the headers of Standard Webhooks. Everything that posts for the hub
// uses it, and so do programs of ours that check what they get.
package signing

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	standardwebhooks "github.com/standard-webhooks/standard-webhooks/libraries/go"
)

// sign is the value of Webhook-Signature (Standard Webhooks): a signature for each secret, separated by blanks, so that a
// receiver who knows any of them can verify. "" without secrets.
func sign(secrets []string, id string, at time.Time, body []byte) (string, error) {
	var all []string
	for _, secret := range secrets {
		hook, err := standardwebhooks.NewWebhook(secret)
		if err != nil || secret == "whsec_" { // which is read as a key of no bytes: anybody could sign with it
			return "", errors.New("the signing secret cannot be read") // the text of the error may hold it
		}
		signature, err := hook.Sign(id, at, body)
		if err != nil {
			return "", errors.New("signing the body failed")
		}
		all = append(all, signature)
	}
	return strings.Join(all, " "), nil
}

// Stamp sets the headers of every call: its id, the same on each attempt, its time and, with secrets, its signatures. A User-Agent that is
// there already stays. The error holds no secret.
func Stamp(h http.Header, secrets []string, id string, at time.Time, body []byte) error {
	h.Set("Content-Type", "application/json")
	if h.Get("User-Agent") == "" {
		h.Set("User-Agent", "Parley")
	}
	h.Set("Webhook-Id", id)
	h.Set("Webhook-Timestamp", strconv.FormatInt(at.Unix(), 10))
	signature, err := sign(secrets, id, at, body)
	if err == nil && signature != "" {
		h.Set("Webhook-Signature", signature)
	}
	return err
}
