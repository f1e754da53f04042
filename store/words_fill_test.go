package store_test

import (
	"bytes"
	"log/slog"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"parley/store"
	"parley/store/storetest"
)

// Who waits for the hub while words are written anew sees in the log how far that is; when they are there, nothing is said.
func TestWritingWordsIsTold(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		var said bytes.Buffer
		var reads atomic.Int64
		s := open(t, func(c *store.Config) {
			c.Logger = slog.New(slog.NewTextHandler(&said, nil))
			c.Clock = func() time.Time { return groupStart.Add(time.Duration(reads.Add(3)) * time.Second) }
		})
		if err := s.FillInsights(t.Context(), 4500); err != nil { // three transactions
			t.Fatal(err)
		}
		told := func() int { return strings.Count(said.String(), "writing the words of conversations anew") }
		before := told()
		s.WriteWordsAnew(t)
		if got := told() - before; got != 1 || !strings.Contains(said.String(), " started="+groupStart.Format("2006-01")) {
			t.Errorf("told %d times in nine seconds, want once: %s", got, said.String())
		}
	})
}
