// Package llm asks a language model behind any endpoint that speaks OpenAI's chat completions: one streamed request for each turn, whose
// answer is one text, the call of a tool, or both. What the model is told and what becomes of its answer is in docs/bots.md.
//
// A turn is asked for once; nothing is repeated here, not even what the client library would repeat. The answer is a stranger's, and so are
// its errors: it is bounded, and nothing of it, nor the key, appears in what a failure says.
package llm
