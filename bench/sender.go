package bench

import (
	"bytes"
	"context"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/hex"
	"io"
	"net/http"
	"sync"
	"time"
)

// Forwarder is the baseline for turns that wait: it puts each request to a URL and answers what that answers. It keeps nothing.
type Forwarder struct{ URL string }

// ServeHTTP forwards a request.
func (f Forwarder) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		w.WriteHeader(http.StatusBadRequest)
		return
	}
	req, err := http.NewRequestWithContext(r.Context(), http.MethodPost, f.URL, bytes.NewReader(body))
	if err != nil {
		w.WriteHeader(http.StatusInternalServerError)
		return
	}
	req.Header.Set("Content-Type", "application/json")
	res, err := client.Transport.RoundTrip(req) // without the client's time limit
	if err != nil {
		w.WriteHeader(http.StatusBadGateway)
		return
	}
	defer res.Body.Close()
	w.WriteHeader(res.StatusCode)
	_, _ = io.Copy(w, res.Body) // the caller has gone; there is nobody to tell
}

// A poster is a plain client that posts JSON with an HMAC. Safe for concurrent use.
type poster struct {
	url    string
	client *http.Client
}

func newPoster(url string) *poster {
	transport := &http.Transport{MaxIdleConnsPerHost: SenderConcurrency}
	return &poster{url, &http.Client{Transport: transport, Timeout: 10 * time.Second}}
}

func (p *poster) post(ctx context.Context, body []byte) error {
	sign := hmac.New(sha256.New, []byte("a-secret-of-the-benchmark"))
	sign.Write(body)
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, p.url, bytes.NewReader(body))
	if err != nil {
		return err
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("X-Signature", hex.EncodeToString(sign.Sum(nil)))
	res, err := p.client.Do(req)
	if err != nil {
		return err
	}
	defer res.Body.Close()
	_, err = io.Copy(io.Discard, res.Body)
	return err
}

// posted is 1 KiB of JSON that begins its text so.
func posted(text string) []byte {
	body := append([]byte(`{"text":"`+text), bytes.Repeat([]byte("x"), 1024-11-len(text))...)
	return append(body, `"}`...)
}

// Send is the baseline for callbacks: it posts 1 KiB of JSON with an HMAC to a URL, as fast as the answers come, until ctx
// ends. It keeps nothing and orders nothing.
func Send(ctx context.Context, url string) {
	body, p := posted(""), newPoster(url)
	defer p.client.CloseIdleConnections()
	var wg sync.WaitGroup
	for range SenderConcurrency {
		wg.Go(func() {
			for ctx.Err() == nil {
				_ = p.post(ctx, body) // ctx has ended, or the sink has: the next round tells
			}
		})
	}
	wg.Wait()
}
