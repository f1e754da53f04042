// Package entity finds what has a form of its own in a message: dates, times, numbers, e-mail addresses, telephone numbers,
// URLs, card numbers and IBANs. It also takes them out again.
//
// [Find] gives them in order, none on top of another: of two readings of the same characters the more specific one wins, in
// the order of [Names]. Where it counts, the form alone is not enough: a card number must pass Luhn's check, an IBAN its
// remainder of 97 and the length of its country, a telephone number must be one that its country gives out.
//
// # What people write
//
// Digits of any script, full-width forms, the dashes and spaces of typography, and invisible characters between digits are
// read as what they look like. So neither a card number with zero-width spaces nor one in Arabic digits stays behind when a
// message is redacted. Numbers in words ("four one one one"), and numbers spread over several messages, are not found.
//
// # Redaction
//
// [Redaction.Apply] replaces spans, whoever found them; [Redaction.Redact] finds and replaces until nothing is left to be
// found, so that doing it again changes nothing. What it put in it does not look into: a replacement of somebody's own may read
// like an entity itself. One that does has to be [Redaction.Known] where a text is redacted that may hold it already.
//
// All functions are pure, deterministic and safe for concurrent use. Their time grows with the length of the text.
package entity
