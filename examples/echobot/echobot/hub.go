package echobot

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"time"
)

const (
	messagesPath = "/conversation/conversationmgr/v3/conversations/messages"
	tries        = 5 // 0.2, 0.4, 0.8 and 1.6 s apart: longer, and the customer has been told something else
)

// hub is the bot's way to the hub's REST. It has one user, Work, and needs no lock.
type hub struct {
	cfg     Config
	http    *http.Client
	pause   func(context.Context, time.Duration) error
	token   string
	renewAt time.Time
}

func newHub(cfg Config) *hub {
	cfg.Hub = strings.TrimSuffix(cfg.Hub, "/")
	return &hub{cfg: cfg, http: &http.Client{Timeout: 10 * time.Second}, pause: pause}
}

// send posts one message, and again while the hub cannot be reached or is busy. The messageId stays the same, so the
// hub takes it once although an answer to us was lost.
func (h *hub) send(ctx context.Context, message map[string]any) error {
	body, err := json.Marshal(map[string]any{"messages": map[string]any{"message": []any{message}}})
	if err != nil {
		return fmt.Errorf("encode the answer: %w", err)
	}
	wait := 200 * time.Millisecond
	for try := 1; ; try++ {
		again, err := h.post(ctx, body)
		if err == nil || !again || try == tries {
			return err
		}
		if h.pause(ctx, wait) != nil {
			return err
		}
		wait *= 2
	}
}

// post tries once, and says whether it is worth another try.
func (h *hub) post(ctx context.Context, body []byte) (again bool, err error) {
	if time.Now().After(h.renewAt) {
		if again, err := h.fetchToken(ctx); err != nil {
			return again, fmt.Errorf("fetch a token: %w", err)
		}
	}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.cfg.Hub+messagesPath, bytes.NewReader(body))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+h.token)
	status, answer, err := h.do(req)
	switch {
	case err != nil:
		return true, err
	case status == http.StatusAccepted:
		return false, nil
	case status == http.StatusUnauthorized:
		h.renewAt = time.Time{} // revoked before its time
		return true, fmt.Errorf("the hub took our token no more: %s", answer)
	}
	return status >= 500 || status == http.StatusTooManyRequests, fmt.Errorf("the hub answered %d: %s", status, answer)
}

// fetchToken gets a token by client credentials and keeps it until shortly before it expires.
func (h *hub) fetchToken(ctx context.Context) (again bool, err error) {
	form := url.Values{"grant_type": {"client_credentials"}, "client_id": {h.cfg.ClientID}, "client_secret": {h.cfg.ClientSecret}}
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, h.cfg.Hub+"/oauth2/token", strings.NewReader(form.Encode()))
	if err != nil {
		return false, err
	}
	req.Header.Set("Content-Type", "application/x-www-form-urlencoded")
	status, answer, err := h.do(req)
	if err != nil {
		return true, err
	}
	if status != http.StatusOK {
		return status >= 500 || status == http.StatusTooManyRequests, fmt.Errorf("the hub answered %d: %s", status, answer)
	}
	var token struct {
		AccessToken string `json:"access_token"`
		ExpiresIn   int    `json:"expires_in"` // seconds
	}
	if err := json.Unmarshal(answer, &token); err != nil {
		return false, fmt.Errorf("read the answer: %w", err)
	}
	if token.AccessToken == "" {
		return false, errors.New("the answer has no access_token")
	}
	h.token = token.AccessToken
	h.renewAt = time.Now().Add(time.Duration(token.ExpiresIn) * time.Second * 9 / 10)
	return false, nil
}

func (h *hub) do(req *http.Request) (int, []byte, error) {
	res, err := h.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer res.Body.Close()
	answer, err := io.ReadAll(io.LimitReader(res.Body, 64<<10))
	return res.StatusCode, answer, err
}

func pause(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-timer.C:
		return nil
	}
}
