// Package criteria is the language in which people say which conversations they mean: the criteria of a group, and the
// filter of a list. [Parse] and [ParseFilter] read it, [String] prints it, [Match] decides it for one conversation. A
// [parley.Store] answers the same question for all of them with a query.
//
// # Grammar
//
// It is RSQL:
//
//	input      = or
//	or         = and *( ( "," / ws "or" ws ) and )
//	and        = constraint *( ( ";" / ws "and" ws ) constraint )
//	constraint = "(" or ")" / selector op arguments
//	op         = "==" / "!=" / "=lt=" / "<" / "=le=" / "<=" / "=gt=" / ">" / "=ge=" / ">=" / "=in=" / "=out="
//	arguments  = value / "(" value *( "," value ) ")"    ; a list for =in= and =out=, one value for the others
//	value      = unreserved+ / "'" ... "'" / '"' ... '"' ; a backslash in quotes takes the next character as it is
//	selector   = unreserved+
//	unreserved = any character but " ' ( ) ; , = ! ~ < > and white space
//	ws         = 1*( space / tab / line feed / carriage return )
//
// The parser is ours. Three in Go were found and read (2026-11-26), as far as copies of them were at hand; the module proxy in use here had
// none of them. rbicker/go-rsql (its change log ends in 2021) writes filters by regular expressions, knows neither quotes nor < and >, and
// does not check names within brackets; si3nloong/go-rsql has no brackets and takes "," for ";"; dohrm/go-rsql says that it is unfinished.
//
// AND binds tighter than OR. White space stands around the words and in quotes, nowhere else. A text has at most
// [MaxLength] characters and compares at most [MaxSelectors] different selectors, any number of times.
//
// # Meaning
//
// Selectors are conversation.metadata.<key>, conversation.id, .name, .type, .startTime (also .startDate), .endTime (also
// .endDate), and conversation.label, which is ours: the labels that trackers put on a conversation.
//
// Values are texts. In ==, !=, =in= and =out= a star fits any run of characters, within quotes as without; `\*` within
// quotes is a star that fits itself. The other operators know no stars: they compare times on the selectors of times,
// numbers if both sides are numbers ([parley.Figure]), else code points. Times are ISO 8601 and count to the millisecond.
//
// Where a metadata key is missing, != and =out= are true and everything else is false. Of several labels one must fit; for
// != and =out=, none.
//
// # Errors
//
// They are [parley.Error] of Kind Invalid, which say what was expected at which character, from 1.
package criteria
