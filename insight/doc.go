// Package insight finds out what conversations are about: trackers, entities and groups of the manage surface
// (reference/manage.md), over conversations of every surface.
//
// A [Detector] follows the record of messages and stores what it finds in them. [Trackers], [Entities], [Groups] and [Settings]
// have the rules of what tenants want found; [Conversations] reads what was found, and takes texts from outside.
//
// # Order and repeats
//
// The messages of a conversation are looked at in order of their Seq, each at least once; that a hit is stored twice, or an
// action done twice, the record rules out. One node leads; if it is lost another goes on within seconds. Nothing here is
// waited for by whoever posts a message: what is found shows up a moment later.
//
// # What a hit depends on
//
// The messages, the tenant's trackers and entities at that moment, and the conversation's language, and nothing else: the same
// input gives the same output. Changing a tracker does not change what it found; a job of kind range looks again.
package insight
