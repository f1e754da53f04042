package text

import (
	"strings"

	"golang.org/x/text/language"
)

// Speaks says whether a vocabulary with these languages is meant for a conversation in this one: if there are no languages,
// if one equals the conversation's code, or if one is a bare language ("en") and the conversation's code is of that language
// ("en-US"). Case does not matter. A code that is none is compared letter by letter.
func Speaks(languages []string, conversation string) bool {
	return speaks(languages, conversation, base(conversation))
}

// speaks is Speaks for who knows the base of the conversation's code already.
func speaks(languages []string, conversation, conversationBase string) bool {
	if len(languages) == 0 {
		return true
	}
	for _, l := range languages {
		if strings.EqualFold(l, conversation) || !strings.ContainsAny(l, "-_") && strings.EqualFold(l, conversationBase) {
			return true
		}
	}
	return false
}

// base gives the language of a code in its shortest form: "en" for "en-US", "EN_gb" and "eng". A code that is none is given
// back up to its first hyphen, in lower case.
func base(code string) string {
	first, _, _ := strings.Cut(strings.ReplaceAll(code, "_", "-"), "-")
	if b, err := language.ParseBase(first); err == nil {
		return b.String()
	}
	return strings.ToLower(first)
}
