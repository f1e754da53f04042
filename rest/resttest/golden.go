package resttest

import (
	"crypto/sha256"
	"fmt"
	"os"
	"strings"
	"testing"

	"go.yaml.in/yaml/v3"
)

// Golden fails when a document changed without its version: whoever changes a contract says so. file holds one line for
// each version there was, with the SHA-256 of its document.
func Golden(t testing.TB, document []byte, file string) {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	var contract struct{ Info struct{ Version string } } // OpenAPI and AsyncAPI alike
	if err := yaml.Unmarshal(document, &contract); err != nil {
		t.Fatal(err)
	}
	version := contract.Info.Version
	line := fmt.Sprintf("%s %x", version, sha256.Sum256(document))
	for known := range strings.Lines(string(text)) {
		if strings.TrimSpace(known) == line {
			return
		}
		if strings.HasPrefix(known, version+" ") {
			t.Errorf("the contract changed but is still version %s: raise info.version and add its line to %s; before the first release, replace the line by\n%s", version, file, line)
			return
		}
	}
	t.Errorf("version %s is new: add to %s the line\n%s", version, file, line)
}
