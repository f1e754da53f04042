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

// Send is the baseline for callbacks: it posts 1 KiB of JSON with an HMAC to a URL, as fast as the answers come, until ctx
// ends. It keeps nothing and orders nothing.
func Send(ctx context.Context, url string) {
	body := append(append([]byte(`{"text":"`), bytes.Repeat([]byte("x"), 1024-11)...), `"}`...)
	transport := &http.Transport{MaxIdleConnsPerHost: SenderConcurrency}
	defer transport.CloseIdleConnections()
	sender := &http.Client{Transport: transport, Timeout: 10 * time.Second}
	var wg sync.WaitGroup
	for range SenderConcurrency {
		wg.Go(func() {
			for ctx.Err() == nil {
				sign := hmac.New(sha256.New, []byte("a-secret-of-the-benchmark"))
				sign.Write(body)
				req, err := http.NewRequestWithContext(ctx, http.MethodPost, url, bytes.NewReader(body))
				if err != nil {
					return
				}
				req.Header.Set("Content-Type", "application/json")
				req.Header.Set("X-Signature", hex.EncodeToString(sign.Sum(nil)))
				res, err := sender.Do(req)
				if err != nil {
					continue // ctx has ended, or the sink has: the next round tells
				}
				_, _ = io.Copy(io.Discard, res.Body)
				res.Body.Close()
			}
		})
	}
	wg.Wait()
}
