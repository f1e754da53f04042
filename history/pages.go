package history

import (
	"bufio"
	"context"
	"encoding/json"
	"io"

	"parley"
)

// linesAtOnce is how many visits or events an export reads together.
const linesAtOnce = 250

// A pager is an export of things that fit in a line, read page by page. At the first page that is not full it ends.
type pager[T any] struct {
	record Record
	next   func(ctx context.Context, tx parley.Tx) ([]T, error) // reads the page behind the last one, at most linesAtOnce
	line   func(*T) (any, error)                                // what is written of one; it moves behind it
}

// write writes the lines. What it reads it writes before it reads more.
func (p *pager[T]) write(ctx context.Context, to io.Writer) error {
	w := bufio.NewWriterSize(to, 64<<10)
	for {
		var page []T
		if err := p.record.View(ctx, func(tx parley.Tx) (err error) {
			page, err = p.next(ctx, tx)
			return err
		}); err != nil {
			return err
		}
		for i := range page {
			line, err := p.line(&page[i])
			if err != nil {
				return err
			}
			text, err := json.Marshal(line)
			if err != nil {
				return err
			}
			if _, err := w.Write(append(text, '\n')); err != nil {
				return err
			}
		}
		if len(page) < linesAtOnce {
			return w.Flush()
		}
	}
}
