package text

import (
	"strings"

	"golang.org/x/text/language"
)

// Speaks says whether a vocabulary with these languages is meant for a conversation in this one: if there are no languages,
// if one equals the conversation's code, or if one is a bare language ("en") and the conversation's code is of that language
// ("en-US"). A conversation in a bare language counts as one of the region where most write it, by CLDR's likely subtags: "en" is spoken by
// who speaks "en-US" and not by who speaks "en-GB" alone. Case does not matter, and "_" is "-". A code that is none is compared letter by
// letter.
func Speaks(languages []string, conversation string) bool {
	return newSpoken(conversation).by(languages)
}

// spoken is the language of a conversation.
type spoken struct {
	code, base string
	likely     string // the code with a region; "" if it has one, or is none
}

func newSpoken(code string) spoken {
	s := spoken{code: strings.ReplaceAll(code, "_", "-"), base: base(code)}
	if tag, err := language.Parse(s.code); err == nil && !strings.Contains(s.code, "-") {
		if region, confidence := tag.Region(); confidence != language.No {
			s.likely = s.base + "-" + region.String()
		}
	}
	return s
}

// by is Speaks.
func (s spoken) by(languages []string) bool {
	if len(languages) == 0 {
		return true
	}
	for _, l := range languages {
		l = strings.ReplaceAll(l, "_", "-")
		if strings.EqualFold(l, s.code) || strings.EqualFold(l, s.base) || s.likely != "" && strings.EqualFold(l, s.likely) {
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
