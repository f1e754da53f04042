// Package text finds phrases in messages, as written and by what they mean, and tells which of several intents a message has.
//
// A [Matcher] is for trackers: vocabularies of phrases, any of which may be in a message. A [Lexicon] is for custom entities:
// phrases as they stand, every occurrence of them. A [Classifier] is for a bot that follows rules: it chooses one intent by
// examples. [Words] and [UTF16Offset] are what they have in common: all offsets here are in bytes of the message.
//
//	m := text.NewMatcher([]text.Vocabulary{{Languages: []string{"en-US"}, Phrases: []string{"what is the price"}}})
//	hits := m.Match("How much does it cost?", "en-US")
//
// # Exact and similar
//
// An exact hit is a sequence of whole words, whatever their case and the punctuation between them. It works in every script.
// A similar hit has no place. In English it is decided by stems, synonyms, spelling and word vectors (docs/detection.md); in
// the other languages that have a Snowball stemmer by the share of a phrase's stems that a sentence has; in the rest by the
// words themselves. Where words are not divided by spaces, only exact hits count. A denial is never similar to what it denies.
//
// # Promises
//
// Everything is pure: the same input gives the same output on the same kind of processor. A vocabulary finds the same whatever
// other vocabularies stand beside it. Matcher, Lexicon and Classifier are safe for concurrent use. Any text is
// accepted, also one that is not UTF-8; nothing panics and nothing is logged.
//
// # Cost
//
// Word vectors are 11 MB of the binary. The first English message that is compared with a phrase of more than three words reads
// them, in about 0.1 s. The time of a match grows with the phrases that have words in common with the message;
// docs/performance.md has figures.
package text
