// Package history takes in conversations that took place in other systems.
//
// A conversation is one line of JSON, a [Line], with all of its messages. [Importer.Import] reads such lines from a stream and stores them a
// few at a time: what was stored stays, whatever becomes of the stream, and a line that comes again is recognised by its id, so that whoever
// lost the answer sends everything once more. A line that is wrong is refused with the reason, and the others go in.
//
// Imported conversations are over. They are owed to nobody, wake nobody, and are found and counted like all others.
package history
