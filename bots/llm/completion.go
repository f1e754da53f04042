package llm

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"mime"
	"net/http"
	"strconv"
	"strings"

	"github.com/openai/openai-go/v3"

	"parley"
	"parley/bots"
)

// A completion is what a model said.
type completion struct {
	text  strings.Builder
	calls []*call
	usage parley.Usage
	ended bool // the model said that it has said everything
}

// A call is one of a tool.
type call struct {
	index           int64 // among those of its answer
	id              string
	name, arguments string
}

// A statusError is an answer with a status that is no success.
type statusError int

func (e statusError) Error() string { return "status " + strconv.Itoa(int(e)) }

// complete asks for an answer and reads it as it comes. The error is a *bots.Failure unless ctx was cancelled. The completion is never nil:
// what was counted before an error is in it.
func (b *Bot) complete(ctx context.Context, params openai.ChatCompletionNewParams, partial func(string)) (*completion, error) {
	c := &completion{}
	stream, res, err := b.send(ctx, params) //nolint:bodyclose // the stream closes it
	if err != nil {
		return c, failureOf(ctx, err)
	}
	defer stream.Close()
	if kind, _, _ := mime.ParseMediaType(res.Header.Get("Content-Type")); kind == "application/json" { // an endpoint that does not stream
		err = c.readWhole(res)
	} else {
		for stream.Next() {
			if chunk := stream.Current(); c.add(&chunk) && partial != nil {
				partial(c.text.String())
			}
		}
		err = stream.Err()
	}
	received := res.Body.(*body) // receive made it
	switch {
	case err == nil && received.err == nil && c.ended:
		return c, nil
	case errors.Is(received.err, errTooMuch):
		return c, failed(fmt.Sprintf("%s answered with more than %d bytes", whom, maxAnswer))
	case received.err != nil:
		return c, bots.Unreached(ctx, received.err, parley.FailureModel, whom)
	case err != nil: // its text may be the stranger's
		return c, failed("the answer of " + whom + " is an error, or no completion")
	}
	return c, failed("the answer of " + whom + " broke off, or is no completion")
}

func failed(problem string) error {
	return &bots.Failure{Why: parley.FailureModel, Problem: problem}
}

// failureOf is what becomes of a turn whose request was not answered with success.
func failureOf(ctx context.Context, err error) error {
	status, ok := errors.AsType[statusError](err)
	if !ok {
		return bots.Unreached(ctx, err, parley.FailureModel, whom)
	}
	problem := whom + " answered with " + status.Error()
	switch status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return &bots.Failure{Why: parley.FailureModelRefuses, Problem: problem + ": it does not take the key"}
	case http.StatusNotFound:
		return &bots.Failure{Why: parley.FailureBotSettings, Problem: problem + ": the endpoint's URL or the model's name is wrong"}
	}
	return failed(problem)
}

// add takes a part of a stream, and says whether it has text.
func (c *completion) add(chunk *openai.ChatCompletionChunk) bool {
	grown := false
	for i := range chunk.Choices {
		choice := &chunk.Choices[i]
		if choice.Index != 0 { // only one was asked for
			continue
		}
		c.text.WriteString(choice.Delta.Content)
		grown = grown || choice.Delta.Content != ""
		for j := range choice.Delta.ToolCalls {
			c.addCall(&choice.Delta.ToolCalls[j])
		}
		c.ended = c.ended || choice.FinishReason != ""
	}
	if chunk.JSON.Usage.Valid() {
		c.count(chunk.Usage)
	}
	return grown
}

// addCall takes a part of a call. Its id and name come with the first one; some endpoints repeat them, and some give every call the same
// index and tell them apart by id.
func (c *completion) addCall(part *openai.ChatCompletionChunkChoiceDeltaToolCall) {
	var of *call
	for _, known := range c.calls {
		if known.index == part.Index && (part.ID == "" || known.id == "" || known.id == part.ID) {
			of = known
		}
	}
	if of == nil {
		of = &call{index: part.Index}
		c.calls = append(c.calls, of)
	}
	if part.ID != "" {
		of.id = part.ID
	}
	if part.Function.Name != of.name {
		of.name += part.Function.Name
	}
	of.arguments += part.Function.Arguments
}

// readWhole reads an answer that is no stream. What is wrong with its body is known to that.
func (c *completion) readWhole(res *http.Response) error {
	raw, err := io.ReadAll(res.Body)
	if err != nil {
		return err
	}
	var whole openai.ChatCompletion
	if err := json.Unmarshal(raw, &whole); err != nil {
		return err
	}
	c.count(whole.Usage)
	if len(whole.Choices) == 0 {
		return errors.New("no choices")
	}
	m := &whole.Choices[0].Message
	c.text.WriteString(m.Content)
	for i := range m.ToolCalls {
		c.calls = append(c.calls, &call{name: m.ToolCalls[i].Function.Name, arguments: m.ToolCalls[i].Function.Arguments})
	}
	c.ended = true
	return nil
}

// count takes the endpoint's count of all tokens so far. Counters only grow: what is below nothing is nothing.
func (c *completion) count(u openai.CompletionUsage) {
	c.usage = parley.Usage{Prompt: max(u.PromptTokens, 0), Completion: max(u.CompletionTokens, 0)}
}
