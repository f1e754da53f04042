// Package ws serves live sessions over WebSocket (GET /ws/v1, subprotocol parley.v1.json).
//
// # A session
//
// The first object a client sends is connect, with its token; never a URL holds one. Requests carry an id that the reply
// echoes. A frame holds one or more JSON objects, one a line, in both directions. The protocol's document is
// asyncapi.yaml.
//
// # Order and resume
//
// Within a conversation, messages and the acks of own posts come in Seq order, each with the Seq of the one before it
// that the session may see, so that a client notices a hole by itself. After a drop the client says what it has and gets
// exactly what it missed, read from the store.
//
// # Slow and gone
//
// Posts are pipelined: the read loop never waits for a commit. What is queued for a session is bounded; typing and
// presence are shed first, and a session whose queue is full is closed with a code that says "come back". Messages are
// never dropped. A session that is silent for [deadAfter] is closed.
package ws
