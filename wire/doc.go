// Package wire is the message of the conversationmgr API as JSON (reference sections 9 to 11). REST, callbacks and
// WebSocket share it, so that a message looks the same whichever way it came and goes.
//
// Reading is [DecodeEnvelope] for a whole request and [DecodeMessage] for one message of a session whose sender is
// known. Both are lenient where real clients are sloppy: null and the empty string mean absent, a size may be a string,
// a payload may stand in content itself or be JSON text, unknown members are ignored, and unknown members of content
// pass through. Errors are [parley.Error] of Kind Invalid; the first problem is the error, further ones are its
// Details; a missing member comes before a wrong one.
//
// Writing is [Append] and [AppendEnvelope]. They append to a caller's buffer and write no line breaks, so a message may
// be a line of a frame.
//
// The package decides what is well-formed. Who may say what, and what a channel carries, is the hub's business.
package wire
