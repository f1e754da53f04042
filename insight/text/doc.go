// Package text finds phrases in what people say: by their words, in any script, and by what they mean.
//
// A [Matcher] is made of vocabularies, one for each tracker. [Matcher.Match] gives at most one hit for each phrase: where its words
// stand one after the other, whatever their case and whatever punctuation is between; else whether a sentence is of
// similar meaning. A [Lexicon] gives every occurrence of its phrases, and knows no similarity.
//
// # Similar meaning
//
// A sentence is similar to a phrase if enough of the phrase's concepts turn up close to each other in it, and both say yes, or
// both say no. Concepts are the stems of the words that mean something, with a few sets of synonyms in English (reference 3.5). Words
// that are written differently and are in no such set are not seen as related.
//
// Everything here is deterministic and safe for concurrent use. Offsets are in bytes of the text as it was given;
// [UTF16Offset] turns them into what JavaScript counts.
package text
