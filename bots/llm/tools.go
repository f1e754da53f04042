package llm

import (
	"encoding/json"
	"strings"

	"parley/bots"

	"github.com/openai/openai-go/v3"
	"github.com/openai/openai-go/v3/shared"

	"parley"
)

// The tools that a model has.
const (
	toolHandover = "handover"
	toolEnd      = "end_conversation"
)

func tools() []openai.ChatCompletionToolUnionParam {
	object := func(properties map[string]any) shared.FunctionParameters {
		return shared.FunctionParameters{"type": "object", "properties": properties}
	}
	return []openai.ChatCompletionToolUnionParam{
		openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: toolHandover,
			Description: openai.String("Hand the conversation over to a person. Use it when the customer asks for one, or you cannot help."),
			Parameters:  object(map[string]any{"reason": map[string]any{"type": "string", "description": "Why, in one sentence, for colleagues."}})}),
		openai.ChatCompletionFunctionTool(shared.FunctionDefinitionParam{Name: toolEnd,
			Description: openai.String("End the conversation. Use it when the customer needs nothing more; say goodbye in the same answer."),
			Parameters:  object(map[string]any{})}),
	}
}

// act does what the model called tools for, and says whether it called any that there is. People win over the end: who asked for them must
// not be sent away.
func (c *completion) act(reply *parley.BotReply, before parley.Contexts) (called bool) {
	end := false
	for _, one := range c.calls {
		switch one.name {
		case toolHandover:
			reply.HandOver = true
			if contexts := withReason(before, reasonOf(one.arguments)); reply.Contexts == nil {
				reply.Contexts = contexts
			}
		case toolEnd:
			end = true
		}
	}
	reply.End = end && !reply.HandOver
	return end || reply.HandOver
}

// maxReason bounds why a model hands over, in characters.
const maxReason = 500

// reasonOf reads the arguments of a handover. Models write them, so anything may stand there; what is no reason is none.
func reasonOf(arguments string) string {
	var a struct{ Reason any }
	_ = json.Unmarshal([]byte(arguments), &a)
	reason, _ := a.Reason.(string)
	return cut(strings.TrimSpace(reason), maxReason)
}

// cut is the beginning of a text, at most so many characters of it.
func cut(text string, most int) string {
	for i := range text {
		if most--; most < 0 {
			return text[:i]
		}
	}
	return text
}

// withReason keeps a reason in the hidden context, as handoverReason: it speaks about the customer, who may see the others. nil = there is
// no reason, or no room for it.
func withReason(before parley.Contexts, reason string) *parley.Contexts {
	if reason == "" {
		return nil
	}
	members := map[string]json.RawMessage{}
	if len(before.Hidden) > 0 && (json.Unmarshal(before.Hidden, &members) != nil || members == nil) {
		return nil
	}
	members["handoverReason"] = bots.Encode(reason)
	after := before
	if after.Hidden = bots.Encode(members); len(after.Hidden) > parley.MaxContext {
		return nil
	}
	return &after
}
