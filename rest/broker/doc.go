// Package broker is the broker surface (reference/broker.md): one HTTP call is one turn of a conversation with a bot, and the whole
// reply is in its answer. openapi.yaml is its contract.
//
// A session is a conversation on a channel of a bot; its code is the conversation's id. A call says what the customer says, waits
// until the turn is over (see [parley.Turn]), and answers with what the bot said. What the hub does not keep of a session is in
// [parley.BotSession].
package broker
