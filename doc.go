// Package parley is the vocabulary of a conversation hub: the things it keeps, the errors it tells, and the contracts
// between the layers. It has no behaviour of its own beyond what keeps a value valid, and imports the standard
// library only.
//
// # The things
//
// A [Tenant] owns everything. An [Account] is a business address on a [Channel], tied to an [Orchestration] that says
// which bot or agent program answers. A [ClientApplication] is outside software in one or more roles; a
// [Participant] is a bot persona it plays. A [Conversation] is an ordered thread of [Message] values with an [Owner]
// of the turn. A [Lane] is the cursor of one receiver over one conversation.
//
// # The contracts
//
// [Store] is the record: what it committed has happened. [Lanes] is the part of it that dispatch works on. [Live] is
// quick and forgetful: whatever it loses costs time, never a message.
//
// Values of these types are plain data; nothing here is safe for concurrent change unless its comment says so.
package parley
