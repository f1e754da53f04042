// Package history takes in conversations that took place in other systems, and gives out those of the hub, what was counted of them, and
// tracked events.
//
// A conversation is one line of JSON, a [Line], with all of its messages. [Importer.Import] reads such lines from a stream and stores them a
// few at a time: what was stored stays, whatever becomes of the stream, and a line that comes again is recognised by its id, so that whoever
// lost the answer sends everything once more. A line that is wrong is refused with the reason, and the others go in. Imported conversations
// are over. They are owed to nobody, wake nobody, and are found and counted like all others.
//
// [Exporter.Begin] and [Export.Write] write such lines, in the order in which conversations became part of the record. Each line ends with a
// cursor behind which another export goes on, so that each conversation comes exactly once over any number of drops, also while others are
// being written. Both need as much memory as a few conversations, and an export of a long one as much as a few of its messages.
//
// [Exporter.BeginVisits] and [Exporter.BeginEvents] do the same with conversations as figures count them and with tracked events. Events come
// exactly once; visits come again when they change.
package history
