// Package agentapi is the agent-conversations surface: a caller has users talk to one bot, which is called an agent here, and waits for its
// answers or asks for them later; people may take over (reference/agent-conversations.md). One key is one agent: what belongs to another
// is answered like what is unknown.
package agentapi
