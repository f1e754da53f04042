// Package webhook asks a bot that is a program elsewhere: one POST of JSON for each turn, whose answer has all that the bot says. What both
// look like is in docs/bots.md.
//
// A turn is asked for once: bots have side effects, so nothing is repeated here. After a crash of the hub it may be asked for again, with
// the same webhook-id, by which a bot recognises it. The answer is a stranger's: it is bounded, read leniently in form and strictly in
// meaning, and nothing of it appears in what a failure says.
package webhook
