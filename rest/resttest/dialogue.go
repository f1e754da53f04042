package resttest

import (
	"encoding/json"
	"fmt"
	"regexp"
	"strings"
	"testing"
)

// An exchange is one request with its answer.
type exchange struct {
	line           int
	method, target string
	headers        []string
	body           string
	status         int
	want           string
}

func parseDialogue(t testing.TB, text string) (all []exchange) {
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

// Play has a dialogue with the server. Variables known before are those of vars, and it adds to them.
func (c *Caller) Play(text string, vars map[string]string) {
	c.t.Helper()
	fill := func(text string) string {
		return variable.ReplaceAllStringFunc(text, func(name string) string {
			if v, ok := vars[name]; ok {
				return v
			}
			return name
		})
	}
	for _, e := range parseDialogue(c.t, text) {
		headers := []string{"Authorization", "Bearer " + vars["$all"]}
		for _, h := range e.headers {
			if h = fill(h); h == "-" {
				h = ""
			}
			headers = append(headers, h)
		}
		res, body := c.Do(e.method, fill(e.target), fill(strings.TrimSuffix(e.body, "\n")), headers...)
		where := fmt.Sprintf("line %d: %s %s", e.line, e.method, e.target)
		if res.StatusCode != e.status {
			c.t.Errorf("%s answered %d %s, want %d", where, res.StatusCode, body, e.status)
			continue
		}
		if e.want == "" {
			if e.status == 204 && body != "" {
				c.t.Errorf("%s answered 204 with a body", where)
			}
			continue
		}
		var got, want any
		if err := json.Unmarshal([]byte(body), &got); err != nil {
			c.t.Errorf("%s answered %s, want JSON", where, body)
			continue
		}
		if err := json.Unmarshal([]byte(e.want), &want); err != nil {
			c.t.Fatalf("%s: the expected answer is not JSON: %v\n%s", where, err, e.want)
		}
		if diff := match(want, got, "", vars); diff != "" {
			c.t.Errorf("%s answered %s\n%s", where, body, diff)
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
