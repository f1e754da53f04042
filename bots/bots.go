// Package bots has the connectors that answer turns: a webhook, flows of our own, a language model. Each is a subpackage.
//
// A bot that the hub runs is a client application like any other: what is said to it is owed to it through a lane, so that order,
// repeats and crashes are dealt with in one place. Where a callback would be made, its connector is asked, and the answers are
// committed together.
package bots

import (
	"context"
	"encoding/json"
	"fmt"

	"parley"
)

// A Connector answers turns of one bot. Safe for concurrent use; turns of one conversation come one after the other.
type Connector interface {
	// Turn answers. partial, which may be nil, is told of an answer that comes bit by bit: with all of it so far, any number of times, from the
	// goroutine that called Turn. The error is a *Failure if the bot is to blame. A turn may be asked for again after a crash.
	Turn(ctx context.Context, t *Turn, partial func(text string)) (parley.BotReply, error)
}

// A Turn is what a connector is asked.
type Turn struct {
	Tenant       parley.TenantID
	Conversation parley.ConversationID
	Bot          parley.ApplicationID
	BotName      string
	Seq          int64 // of the question
	Text         string
	Input        parley.TurnInput
	Client       Client
	Contexts     parley.Contexts
	State        json.RawMessage // what the connector said last; nil = nothing yet
	Background   string          // about the customer and the conversation, from whoever runs the channel; "" = none
	Test         bool            // flows in DRAFT are used
	// History are the last messages before the question, oldest first, at most so many.
	History func(ctx context.Context, limit int) ([]parley.Message, error)
}

// A Client is where a customer is.
type Client struct {
	parley.ClientInfo
	ChannelID, ChannelName, ChannelType string
	Session                             string // how the channel calls the conversation
}

// A Failure is a turn that the bot failed.
type Failure struct {
	Why     parley.TurnFailure
	Problem string // for people; holds no secret, no stack, and nothing of what the bot answered
	Err     error  // for the log; may be nil
}

func (f *Failure) Error() string {
	if f.Err != nil {
		return fmt.Sprintf("%s: %s: %v", f.Why, f.Problem, f.Err)
	}
	return string(f.Why) + ": " + f.Problem
}

// Unwrap is for [errors.Is].
func (f *Failure) Unwrap() error { return f.Err }
