package llm

import (
	"errors"
	"io"
)

// maxAnswer is how much of an answer is read, in bytes. A stream takes some hundred of them for each token.
const maxAnswer = 8 << 20

var errTooMuch = errors.New("too much")

// A body is an answer that ends with errTooMuch when it is longer than may be. It remembers why it ended: what reads it does not always tell.
type body struct {
	io.ReadCloser
	left int   // bytes
	err  error // nil = nothing went wrong so far
}

func (b *body) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.ReadCloser.Read(p)
	if b.left -= n; b.left < 0 {
		err = errTooMuch
	}
	if err != nil && err != io.EOF {
		b.err = err
	}
	return n, err
}
