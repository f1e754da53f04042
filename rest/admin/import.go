package admin

import (
	"context"
	"errors"
	"io"
	"net/http"

	"github.com/gorilla/mux"

	"parley"
	"parley/history"
	"parley/rest"
	"parley/rest/api"
)

// importPath is the route whose bodies have no limit: they are read as a stream.
const importPath = BasePath + "/import"

// limitBody limits the bodies of all routes but that of imports.
func limitBody(next http.Handler) http.Handler {
	limited := rest.LimitBody(rest.MaxBody)(next)
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if path, err := mux.CurrentRoute(r).GetPathTemplate(); err == nil && path == importPath {
			next.ServeHTTP(w, r)
			return
		}
		limited.ServeHTTP(w, r)
	})
}

// ImportConversations stores conversations of another system.
func (s *Surface) ImportConversations(ctx context.Context, r ImportConversationsRequestObject) (ImportConversationsResponseObject, error) {
	tenant, err := s.tenantFor(ctx, r.Params.EnvironmentId)
	if err != nil {
		return nil, err
	}
	stream := &watched{of: r.Body}
	result, err := s.importer.Import(ctx, tenant, history.Options{StrangeBots: api.Or(r.Params.StrangeBots, Refuse) == Keep}, stream)
	if result.Accepted > 0 {
		err = errors.Join(err, s.deliveries.Note(context.WithoutCancel(ctx), actor(ctx), tenant, "conversations.import", "", map[string]any{"accepted": result.Accepted, "refused": result.Refused}))
	}
	if stream.err != nil {
		return nil, &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Field: "body", Msg: "ended before its time; what had come whole is stored", Err: stream.err}
	}
	if err != nil {
		return nil, err
	}
	if result.Accepted+result.Refused == 0 {
		return nil, &api.Refusal{Code: api.BodyMissing, Key: "body", Msg: "the request needs a body of at least one line"}
	}
	out := ImportConversations200JSONResponse{Accepted: result.Accepted, Repeated: result.Repeated, RefusedCount: result.Refused, Refused: []RefusedLine{}}
	for _, refused := range result.Refusals {
		out.Refused = append(out.Refused, RefusedLine{Line: refused.Line, Reason: refused.Reason})
	}
	return out, nil
}

// A watched stream remembers that it broke.
type watched struct {
	of  io.Reader
	err error
}

func (w *watched) Read(p []byte) (int, error) {
	n, err := w.of.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		w.err = err
	}
	return n, err
}
