package history

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"parley"
)

// Limits of an import. Together they bound its memory, however long the stream is.
const (
	// MaxLine is the longest line in bytes.
	MaxLine = 8 << 20
	// MaxRefused is how many refusals are told; the rest are counted.
	MaxRefused = 1000
	// atOnce and bytesAtOnce are how many lines one transaction stores: a few, so that nobody waits long for it.
	atOnce      = 64
	bytesAtOnce = 1 << 20
)

// Record is the part of [parley.Store] that is needed here.
type Record interface {
	Update(ctx context.Context, fn func(parley.Tx) error) error
	View(ctx context.Context, fn func(parley.Tx) error) error
}

// An Importer stores conversations of other systems. Safe for concurrent use.
type Importer struct {
	Record    Record
	Redaction parley.Redaction // of what was said, as if it were said now; nil = it goes in as it is
	Clock     func() time.Time // nil = time.Now
}

// Options say how lines are taken.
type Options struct {
	StrangeBots bool // a line that names a bot which is not there goes in without it; otherwise it is refused
}

// A Refusal is a line that did not go in, and why.
type Refusal struct {
	Line   int // from 1
	Reason string
}

// A Result says what became of the lines of an import.
type Result struct {
	Accepted int // those that are stored now, or were before
	Repeated int // of these, those that were before
	Refused  int
	Refusals []Refusal // the first MaxRefused of them
}

// An intake is one import on its way.
type intake struct {
	*Importer
	Options
	tenant  parley.TenantID
	bots    map[string]*bot // by id; nil = there is no such bot
	waiting []parley.PastConversation
	bytes   int
	result  Result
}

// Import stores the conversations of a stream of lines. It reads to the end; an error says what it stopped for, and the result what had
// become true before. Empty lines are passed over.
func (im *Importer) Import(ctx context.Context, tenant parley.TenantID, options Options, stream io.Reader) (Result, error) {
	in := &intake{Importer: im, Options: options, tenant: tenant, bots: map[string]*bot{}}
	lines := bufio.NewReaderSize(stream, 64<<10)
	for n := 1; ; n++ {
		text, long, err := readLine(lines)
		if err != nil && !errors.Is(err, io.EOF) {
			err = fmt.Errorf("read line %d: %w", n, err)
			return in.result, errors.Join(err, in.flush(context.WithoutCancel(ctx))) // what came whole is stored; half a line is not
		}
		switch {
		case long:
			in.refuse(n, fmt.Sprintf("the line is longer than %d bytes", MaxLine))
		case len(bytes.TrimSpace(text)) > 0:
			if err := in.take(ctx, n, text); err != nil {
				return in.result, err
			}
		}
		if err != nil {
			return in.result, in.flush(ctx)
		}
	}
}

// readLine reads to the end of a line, or of the stream, which is io.EOF. Of a line that is too long nothing is kept.
func readLine(r *bufio.Reader) (line []byte, long bool, err error) {
	for {
		part, err := r.ReadSlice('\n')
		if long = long || len(line)+len(part) > MaxLine+1; long {
			line = nil
		} else {
			line = append(line, part...)
		}
		if !errors.Is(err, bufio.ErrBufferFull) {
			return bytes.TrimSuffix(line, []byte("\n")), long, err
		}
	}
}

// take reads a line and stores it with those that wait once they are enough.
func (in *intake) take(ctx context.Context, n int, text []byte) error {
	l, err := parse(text, in.now())
	if err != nil {
		in.refuse(n, err.Error())
		return nil
	}
	b, err := in.bot(ctx, l.Bot)
	if err != nil {
		return err
	}
	if b == nil && l.Bot != "" && !in.StrangeBots {
		in.refuse(n, "bot is no bot of the environment")
		return nil
	}
	in.waiting, in.bytes = append(in.waiting, l.past(in.tenant, b)), in.bytes+len(text)
	if len(in.waiting) < atOnce && in.bytes < bytesAtOnce {
		return nil
	}
	return in.flush(ctx)
}

func (in *intake) now() time.Time {
	if in.Clock == nil {
		return time.Now()
	}
	return in.Clock()
}

func (in *intake) refuse(line int, reason string) {
	if in.result.Refused++; len(in.result.Refusals) < MaxRefused {
		in.result.Refusals = append(in.result.Refusals, Refusal{line, reason})
	}
}

// flush stores what waits.
func (in *intake) flush(ctx context.Context) error {
	all := in.waiting
	in.waiting, in.bytes = nil, 0
	if len(all) == 0 {
		return nil
	}
	var made map[parley.ConversationID]bool
	err := in.Record.Update(ctx, func(tx parley.Tx) (err error) {
		stored := all
		if in.Redaction != nil {
			by, err := in.Redaction(ctx, tx, in.tenant)
			if err != nil {
				return err
			}
			stored = redacted(all, by)
		}
		made, err = tx.Import(ctx, in.tenant, stored)
		return err
	})
	if err != nil {
		return fmt.Errorf("import conversations: %w", err)
	}
	in.result.Accepted += len(all)
	in.result.Repeated += len(all) - len(made)
	return nil
}

// bot is a bot of the environment; nil if there is none of that id.
func (in *intake) bot(ctx context.Context, id string) (*bot, error) {
	if b, ok := in.bots[id]; ok || id == "" {
		return b, nil
	}
	app, err := parley.ParseID[parley.ClientApplication](id)
	if err != nil {
		return nil, err
	}
	var found *bot
	err = in.Record.View(ctx, func(tx parley.Tx) error {
		a, err := tx.Applications().Find(ctx, in.tenant, app)
		if parley.KindOf(err) == parley.NotFound {
			return nil
		}
		if err != nil {
			return err
		}
		_, program := a.Role(parley.CustomBot)
		if a.Bot != nil {
			found = &bot{parley.Party{Application: a.ID, Role: parley.CustomBot, Participant: a.Bot.Participant, Name: a.Name}}
		} else if program {
			found = &bot{parley.Party{Application: a.ID, Role: parley.CustomBot, Name: a.Name}}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("look for bot %s: %w", id, err)
	}
	if len(in.bots) < 1000 { // a bound for who makes ids up
		in.bots[id] = found
	}
	return found, nil
}
