package flow

import (
	"bytes"
	"encoding/json"
	"strconv"
	"unicode/utf16"
)

// plainEscapes writes out the characters that JSON escapes as two surrogates: YAML, of which JSON is a part but for this, takes
// them for errors. The lines stay the same.
func plainEscapes(source []byte) []byte {
	if !bytes.Contains(source, []byte(`\u`)) || !json.Valid(source) {
		return source
	}
	out := make([]byte, 0, len(source))
	for i := 0; i < len(source); i++ {
		if source[i] != '\\' {
			out = append(out, source[i])
			continue
		}
		if high, low := unit(source[i:]), unit(source[min(i+6, len(source)):]); utf16.IsSurrogate(high) {
			out = append(out, string(utf16.DecodeRune(high, low))...) // alone it is no character, which is what this gives
			if i += 5; utf16.DecodeRune(high, low) != '\uFFFD' {
				i += 6
			}
			continue
		}
		out = append(out, source[i], source[i+1]) // of JSON, so there is one
		i++
	}
	return out
}

// unit is the UTF-16 unit of an escape; 0 if there is none.
func unit(s []byte) rune {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0
	}
	n, err := strconv.ParseUint(string(s[2:6]), 16, 16)
	if err != nil {
		return 0
	}
	return rune(n)
}
