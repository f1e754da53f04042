// Package figures counts what happens: conversations, messages, turns, people, how long things take (reference/analytics.md).
//
// A [Counter] follows the record; [Statistics] answers. What is counted is a [parley.Visit]: a conversation, or of a thread that never
// ends the part between two long silences. Visits are made from the record alone, by [Fold], and added up in cells of an hour and of a day
// for each combination of dimensions, which is what is read for an answer.
//
// # Exactly once
//
// A visit knows up to which message it was counted, and a cell is counted anew from its visits whenever one of them changes. Both are
// written in one transaction with the counter's progress, so a counter that is killed, or two that both think that they lead, change no
// figure. Everything can be counted anew while it answers: see [Rebuild].
//
// # How fresh
//
// The leader looks once a second; a message is counted within a second or two, and within five while much is going on. Nobody who posts
// waits for it. If the leader is lost another node goes on within seconds.
package figures
