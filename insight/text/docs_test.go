package text

import (
	"os"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// The table of docs/detection.md is true: what it says is found is found, and where.
func TestDocumentIsTrue(t *testing.T) {
	doc, err := os.ReadFile("../../docs/detection.md")
	if err != nil {
		t.Fatal(err)
	}
	rows := regexp.MustCompile("(?m)^\\| `([^`]+)` \\| ([^|`]+) \\| (exactly, at (\\d+)|similar|not)").FindAllStringSubmatch(string(doc), -1)
	if len(rows) < 7 {
		t.Fatalf("docs/detection.md has %d rows of phrases and messages, want at least 7", len(rows))
	}
	for _, row := range rows {
		message := strings.TrimSpace(row[2])
		got := "not"
		for _, h := range one(row[1], message, "en-US") {
			got = "similar"
			if h.Start >= 0 {
				got = "exactly, at " + strconv.Itoa(UTF16Offset(message, h.Start))
			}
		}
		if got != row[3] {
			t.Errorf("docs/detection.md says of %q in %q: %s; it is %s", row[1], message, row[3], got)
		}
	}
}
