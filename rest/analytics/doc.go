// Package analytics is the published analytics API (reference/analytics.md): how many conversations there were, how long they took, which
// way they went, for programs written for that API. openapi.yaml is its contract.
//
// A token is of one team, which is an environment. Errors come in the order of reference 7: who asks, what is asked about, whose it is, how
// it is asked.
package analytics
