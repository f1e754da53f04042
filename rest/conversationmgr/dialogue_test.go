package conversationmgr_test

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"parley"
)

// The dialogues in testdata are requests with the answers they must get:
//
//	# A comment.
//	POST /accounts
//	Accept-Language: de
//	{"name":"support"}
//	-> 201 {"id":"$account"}
//
// Members that the expected answer does not name are not looked at; lists must have the same length. A string "$name"
// stands for any value the first time and for that same value from then on, also in requests; "$_" for any value. A
// token with every scope is sent unless Authorization is given; the value "-" leaves a header out. TOKEN of a scope is
// "Bearer $read", "$manage", "$iread", "$imanage" or "$other", which is another tenant's with all scopes.

// An exchange is one request with its answer.
type exchange struct {
	line           int
	method, target string
	headers        []string
	body           string
	status         int
	want           string
}

func parseDialogue(t *testing.T, text string) (all []exchange) {
	t.Helper()
	var e *exchange
	request := regexp.MustCompile(`^(GET|POST|PUT|DELETE|PATCH) (\S+)$`)
	header := regexp.MustCompile(`^([A-Za-z-]+): (.*)$`)
	answer := regexp.MustCompile(`^-> (\d{3})\s*(.*)$`)
	for i, line := range strings.Split(text, "\n") {
		answered := e != nil && e.status != 0
		switch {
		case strings.HasPrefix(line, "#"), strings.TrimSpace(line) == "" && (e == nil || answered):
		case request.MatchString(line) && (e == nil || answered):
			m := request.FindStringSubmatch(line)
			all = append(all, exchange{line: i + 1, method: m[1], target: m[2]})
			e = &all[len(all)-1]
		case e == nil:
			t.Fatalf("line %d: %q", i+1, line)
		case answer.MatchString(line):
			m := answer.FindStringSubmatch(line)
			fmt.Sscan(m[1], &e.status)
			e.want = m[2]
		case answered:
			e.want += line
		case header.MatchString(line) && e.body == "":
			m := header.FindStringSubmatch(line)
			e.headers = append(e.headers, m[1], m[2])
		default:
			e.body += line + "\n"
		}
	}
	return all
}

var variable = regexp.MustCompile(`\$[a-z][A-Za-z0-9]*`)

// play has one dialogue with the stage. Variables known before are those of vars, and it adds to them.
func (s *stage) play(text string, vars map[string]string) {
	s.t.Helper()
	fill := func(text string) string {
		return variable.ReplaceAllStringFunc(text, func(name string) string {
			if v, ok := vars[name]; ok {
				return v
			}
			return name
		})
	}
	for _, e := range parseDialogue(s.t, text) {
		headers := []string{"Authorization", "Bearer " + vars["$all"]}
		for _, h := range e.headers {
			if h = fill(h); h == "-" {
				h = ""
			}
			headers = append(headers, h)
		}
		res, body := s.do(e.method, fill(e.target), fill(strings.TrimSuffix(e.body, "\n")), headers...)
		where := fmt.Sprintf("line %d: %s %s", e.line, e.method, e.target)
		if res.StatusCode != e.status {
			s.t.Errorf("%s answered %d %s, want %d", where, res.StatusCode, body, e.status)
			continue
		}
		if e.want == "" {
			if e.status == 204 && body != "" {
				s.t.Errorf("%s answered 204 with a body", where)
			}
			continue
		}
		var got, want any
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			s.t.Errorf("%s answered %s, want JSON", where, body)
			continue
		}
		if err := json.Unmarshal([]byte(e.want), &want); err != nil {
			s.t.Fatalf("%s: the expected answer is not JSON: %v\n%s", where, err, e.want)
		}
		if diff := match(want, got, "", vars); diff != "" {
			s.t.Errorf("%s answered %s\n%s", where, body, diff)
		}
	}
}

// match says where got is not as wanted, "" if it is.
func match(want, got any, at string, vars map[string]string) string {
	switch want := want.(type) {
	case map[string]any:
		object, ok := got.(map[string]any)
		if !ok {
			return fmt.Sprintf("%s is %v, want an object", at, got)
		}
		for name, w := range want {
			g, ok := object[name]
			if w == "$absent" {
				if ok {
					return fmt.Sprintf("%s.%s is %v, want it absent", at, name, g)
				}
				continue
			}
			if !ok {
				return fmt.Sprintf("%s.%s is absent", at, name)
			}
			if diff := match(w, g, at+"."+name, vars); diff != "" {
				return diff
			}
		}
		return ""
	case []any:
		list, ok := got.([]any)
		if !ok || len(list) != len(want) {
			return fmt.Sprintf("%s is %v, want %d elements", at, got, len(want))
		}
		for i := range want {
			if diff := match(want[i], list[i], fmt.Sprintf("%s[%d]", at, i), vars); diff != "" {
				return diff
			}
		}
		return ""
	case string:
		if want == "$_" {
			return ""
		}
		if variable.FindString(want) == want && want != "" {
			known, ok := vars[want]
			if !ok {
				vars[want] = fmt.Sprint(got)
				return ""
			}
			want = known
		}
		want = variable.ReplaceAllStringFunc(want, func(name string) string {
			if v, ok := vars[name]; ok {
				return v
			}
			return name
		})
		if got != want {
			return fmt.Sprintf("%s is %v, want %q", at, got, want)
		}
		return ""
	default:
		if got != want {
			return fmt.Sprintf("%s is %v, want %v", at, got, want)
		}
		return ""
	}
}

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
				s.play(setup, vars)
				s.play(text, vars)
			} else {
				s.play(text, vars)
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

func unmarshal(text []byte, v any) error { return json.Unmarshal(text, v) }
