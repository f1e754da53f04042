package store

import (
	"context"
	"database/sql"
	"fmt"
	"sync"

	"parley"
)

// An owedReader answers workers that ask what their lanes owe. Whoever asks while a read is away is answered by the next
// one, together with all others that came by then (as a [batcher] does for writes): under load a few statements serve
// many lanes, and a single question does not wait.
type owedReader struct {
	s       *Store
	mu      sync.Mutex
	waiting []*owedRequest
	reading int // reads that are away
}

const (
	// owedReads is how many reads may be away together: the second hides the round trip of the first.
	owedReads = 2
	// maxOwedTogether bounds the lanes of one read.
	maxOwedTogether = 64
)

type owedRequest struct {
	lane  *parley.Lane
	limit int

	conversation parley.Conversation
	messages     []parley.Message
	err          error
	done         chan struct{} // closed when the above is decided
}

// Owed implements [parley.Lanes].
func (s *Store) Owed(ctx context.Context, lane *parley.Lane, limit int) (c parley.Conversation, owed []parley.Message, err error) {
	if !s.dialect.lateral { // a file next to us: there is nothing to share
		return s.oneOwed(ctx, lane, limit)
	}
	r := &owedRequest{lane: lane, limit: limit, done: make(chan struct{})}
	s.owed.ask(r)
	select {
	case <-ctx.Done():
		return c, nil, ctx.Err()
	case <-r.done:
	}
	if r.err != nil {
		return c, nil, fmt.Errorf("read what lane %d owes: %w", lane.Key, r.err)
	}
	return r.conversation, r.messages, nil
}

// oneOwed reads for one lane alone, on SQLite: its own placeholders, not bun's, let the connection keep the statements.
// The conversation is read after its messages, so that it is not older than they are.
func (s *Store) oneOwed(ctx context.Context, lane *parley.Lane, limit int) (c parley.Conversation, owed []parley.Message, err error) {
	owed, err = selectMessages(ctx, s.read.DB, `FROM messages AS m JOIN conversations AS c ON c.key = m.conversation
		WHERE c.key = (SELECT conversation FROM lanes WHERE key = ?) AND m.seq > ? AND (m.addressed & ?) <> 0 ORDER BY m.seq LIMIT ?`,
		lane.Key, lane.Acked, int64(1)<<lane.Slot, limit)
	if err != nil || len(owed) == 0 {
		return c, owed, err
	}
	c, err = oneConversation(selectConversations(ctx, s.read.DB, "WHERE c.key = (SELECT conversation FROM lanes WHERE key = ?)", lane.Key))
	return c, owed, err
}

func (o *owedReader) ask(r *owedRequest) {
	o.mu.Lock()
	defer o.mu.Unlock()
	o.waiting = append(o.waiting, r)
	if o.reading < owedReads {
		o.reading++
		go o.run() // ends when nobody waits
	}
}

func (o *owedReader) run() {
	ctx := context.Background() // of many callers
	for {
		o.mu.Lock()
		n := min(len(o.waiting), maxOwedTogether)
		together := o.waiting[:n:n]
		o.waiting = o.waiting[n:]
		if n == 0 {
			o.waiting = nil // lets the old array go
			o.reading--
		}
		o.mu.Unlock()
		if n == 0 {
			return
		}
		err := o.s.readOwed(ctx, together)
		for _, r := range together {
			r.err = err
			close(r.done)
		}
	}
}

// The messages are looked for in a sub-select of each lane, which has no other way than the index from the cursor on: as a
// plain join, tables without statistics made PostgreSQL read whole conversations.
var (
	owedMessages = newBulk("SELECT v.request, "+messageColumns+`FROM %ROWS% JOIN lanes AS l ON l.key = v.lane
		JOIN conversations AS c ON c.key = l.conversation
		CROSS JOIN LATERAL (SELECT * FROM messages AS owed WHERE owed.conversation = l.conversation AND owed.seq > v.acked
			AND (owed.addressed & v.mask) <> 0 ORDER BY owed.seq LIMIT v.most) AS m
		ORDER BY v.request, m.seq`,
		column{"request", bigint}, column{"lane", bigint}, column{"acked", bigint}, column{"mask", bigint}, column{"most", bigint})

	owedConversations = newBulk("SELECT v.request, "+conversationColumns+`JOIN lanes AS l ON l.conversation = c.key
		JOIN %ROWS% ON l.key = v.lane`,
		column{"request", bigint}, column{"lane", bigint})
)

// readOwed answers requests: their messages, and then the conversations of those that have some.
func (s *Store) readOwed(ctx context.Context, together []*owedRequest) error {
	rows := make([][]any, len(together))
	for i, r := range together {
		rows[i] = []any{int64(i), r.lane.Key, r.lane.Acked, int64(1) << r.lane.Slot, int64(r.limit)}
	}
	var request int64
	err := owedMessages.run(ctx, s.conn(s.reads, s.read.DB), rows, func(row *sql.Rows) error {
		m, err := scanMessage(row, &request)
		if err == nil {
			together[request].messages = append(together[request].messages, m)
		}
		return err
	})
	if err != nil {
		return err
	}
	var of [][]any
	for i, r := range together {
		if len(r.messages) > 0 {
			of = append(of, []any{int64(i), r.lane.Key})
		}
	}
	return owedConversations.run(ctx, s.conn(s.reads, s.read.DB), of, func(row *sql.Rows) error {
		c, err := scanConversation(row, &request)
		if err == nil {
			together[request].conversation = c
		}
		return err
	})
}
