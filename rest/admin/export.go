package admin

import (
	"context"
	"net/http"
	"time"

	"parley"
	"parley/history"
	"parley/rest/api"
)

// ExportConversations begins an export; its answer writes it.
func (s *Surface) ExportConversations(ctx context.Context, r ExportConversationsRequestObject) (ExportConversationsResponseObject, error) {
	p := r.Params
	tenant, err := s.tenantFor(ctx, p.EnvironmentId)
	if err != nil {
		return nil, err
	}
	selection := history.Selection{Tenant: tenant, After: api.Value(p.After), From: time.Time(api.Value(p.From)), Until: time.Time(api.Value(p.Until)),
		ChannelType: api.Value(p.ChannelType), Status: parley.Status(api.Value(p.Status))}
	if p.Bot != nil {
		if selection.Bot, err = parley.ParseID[parley.ClientApplication](*p.Bot); err != nil {
			return nil, &api.Refusal{Code: api.ParameterValue, Key: "bot", Msg: "bot must be a UUID of 36 characters"}
		}
	}
	export, err := s.exporter.Begin(ctx, selection)
	if parley.KindOf(err) == parley.Invalid {
		return nil, &api.Refusal{Code: api.ParameterValue, Key: "after", Msg: "after must be the cursor of a line of this environment"}
	}
	if err != nil {
		return nil, err
	}
	detail := map[string]any{"goesOn": selection.After != ""}
	if p.From != nil || p.Until != nil {
		detail["from"], detail["until"] = p.From, p.Until
	}
	for name, set := range map[string]string{"bot": api.Value(p.Bot), "channelType": selection.ChannelType, "status": string(selection.Status)} {
		if set != "" {
			detail[name] = set
		}
	}
	if err := s.deliveries.Note(ctx, actor(ctx), tenant, "conversations.export", "", detail); err != nil {
		return nil, err
	}
	return exported{ctx, export}, nil
}

// An exported answer is written while it is read. The generated one would put an error behind the lines that were written before it.
type exported struct {
	ctx    context.Context //nolint:containedctx // of the request, which this answers
	export *history.Export
}

// VisitExportConversationsResponse writes the lines. Should it fail in the middle, the connection is cut, so that the caller sees that there
// is more.
func (e exported) VisitExportConversationsResponse(w http.ResponseWriter) error {
	to := &begun{ResponseWriter: w}
	err := e.export.Write(e.ctx, to)
	switch {
	case err == nil:
		to.begin()
		return nil
	case !to.has:
		return err
	}
	if e.ctx.Err() == nil { // otherwise the caller went
		api.NoteError(e.ctx, err)
	}
	panic(http.ErrAbortHandler)
}

// A begun answer has its headers once something is written.
type begun struct {
	http.ResponseWriter
	has bool
}

func (b *begun) begin() {
	if !b.has {
		b.has = true
		b.Header().Set("Content-Type", "application/x-ndjson")
		b.WriteHeader(http.StatusOK)
	}
}

func (b *begun) Write(p []byte) (int, error) {
	b.begin()
	return b.ResponseWriter.Write(p)
}
