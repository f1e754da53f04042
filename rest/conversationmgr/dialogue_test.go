package conversationmgr_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"parley"
)

// vars are the variables that every dialogue begins with.
func (s *stage) vars() map[string]string {
	return map[string]string{
		"$all": s.token(parley.DefaultTenant, allScopes()...), "$read": s.token(parley.DefaultTenant, parley.ScopeRead),
		"$manage": s.token(parley.DefaultTenant, parley.ScopeManage), "$iread": s.token(parley.DefaultTenant, parley.ScopeInteractionRead),
		"$imanage": s.token(parley.DefaultTenant, parley.ScopeInteractionManage), "$other": s.token(s.tenant(), allScopes()...),
		"$none": s.token(parley.DefaultTenant), "$x255": strings.Repeat("x", 255), "$x256": strings.Repeat("x", 256),
		"$widget": parley.WidgetApplication.String(), "$console": parley.ConsoleApplication.String(), "$webchat": parley.WebChatChannel.String(),
		"$nobody": "0190f3c8-7e2a-7c31-8f00-00000000dead",
	}
}

func TestDialogues(t *testing.T) {
	files, err := filepath.Glob("testdata/*.txt")
	if err != nil || len(files) == 0 {
		t.Fatalf("no dialogues: %v", err)
	}
	setup := read(t, "testdata/setup.txt")
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".txt"), func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			vars := s.vars()
			if text := read(t, file); strings.HasPrefix(text, "# After setup.txt.") {
				s.Play(setup, vars)
				s.Play(text, vars)
			} else {
				s.Play(text, vars)
			}
		})
	}
}

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
