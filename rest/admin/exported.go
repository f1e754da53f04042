package admin

import (
	"context"
	"io"
	"net/http"

	"parley/rest/api"
)

// An exported answer is written while it is read. The generated ones would put an error behind the lines that were written before it.
type exported struct {
	ctx    context.Context //nolint:containedctx // of the request, which this answers
	export interface {
		Write(ctx context.Context, to io.Writer) error
	}
}

// VisitExportConversationsResponse writes the lines, as do the next two.
func (e exported) VisitExportConversationsResponse(w http.ResponseWriter) error { return e.write(w) }

// VisitExportVisitsResponse writes the lines.
func (e exported) VisitExportVisitsResponse(w http.ResponseWriter) error { return e.write(w) }

// VisitExportEventsResponse writes the lines.
func (e exported) VisitExportEventsResponse(w http.ResponseWriter) error { return e.write(w) }

// write writes the lines. Should it fail in the middle, the connection is cut, so that the caller sees that there is more.
func (e exported) write(w http.ResponseWriter) error {
	to := &opened{ResponseWriter: w}
	err := e.export.Write(e.ctx, to)
	switch {
	case err == nil:
		to.open()
		return nil
	case !to.has:
		return err
	}
	if e.ctx.Err() == nil { // otherwise the caller went
		api.NoteError(e.ctx, err)
	}
	panic(http.ErrAbortHandler)
}

// An opened answer has its headers once something is written.
type opened struct {
	http.ResponseWriter
	has bool
}

func (o *opened) open() {
	if !o.has {
		o.has = true
		o.Header().Set("Content-Type", "application/x-ndjson")
		o.WriteHeader(http.StatusOK)
	}
}

func (o *opened) Write(p []byte) (int, error) {
	o.open()
	return o.ResponseWriter.Write(p)
}
