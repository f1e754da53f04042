// Package flow reads the flows of bots that follow rules: one YAML or JSON document that says what a bot understands and what
// it does then. docs/bots.md describes the format.
//
// [Parse] checks a document and says everything that is wrong with it, each with its line. What it returns is compiled: a
// [Flow] finds entities, chooses intents, and decides conditions. It knows nothing of conversations; package bots/rules walks
// through the steps.
//
// # Promises
//
// A Flow is immutable and safe for concurrent use, and the same input always gives the same output. Conditions and
// placeholders are a closed language without loops and effects (see [Expression]); whatever stands in a flow, reading and
// using it takes bounded time and memory.
package flow
