package wire

import (
	"encoding/json"

	"github.com/go-json-experiment/json/jsontext"

	"parley"
)

// A rawContent is the content member before it is known what the type makes of it.
type rawContent struct {
	text   string
	html   string
	redact bool
	json   jsontext.Value
	extra  map[string]json.RawMessage
}

func (r *reader) content() (c rawContent) {
	r.object(func(name string) {
		switch name {
		case "text":
			c.text = r.text(0) // the channel has a limit, the request has one; the message has none of its own
		case "html":
			c.html = r.text(0)
		case "redact":
			c.redact = r.boolean()
		case "json":
			c.json = r.jsonObject()
		default:
			if v := r.raw(); v != nil {
				if c.extra == nil {
					c.extra = make(map[string]json.RawMessage)
				}
				c.extra[name] = json.RawMessage(v)
			}
		}
	})
	return c
}

// jsonObject reads an object, or a string that holds one as JSON text.
func (r *reader) jsonObject() jsontext.Value {
	v := r.raw()
	if v == nil || string(v) == `""` {
		return nil
	}
	if v.Kind() == '"' {
		if inner := parseObject(unquote(v)); inner != nil {
			return inner
		}
	}
	if v.Kind() != '{' {
		r.note(parley.BadValue, "must be an object")
		return nil
	}
	return v
}

func unquote(v jsontext.Value) string {
	s, err := jsontext.AppendUnquote(nil, v)
	if err != nil {
		return ""
	}
	return string(s)
}

// parseObject is the JSON object in text without blanks, nil if there is something else in it, or it is nested too deep.
func parseObject(text string) jsontext.Value {
	v := jsontext.Value(text)
	if v.Compact() != nil || v.Kind() != '{' || parley.TooDeep(v) {
		return nil
	}
	return v
}

// payload settles the content of a message whose type is known, and checks that it has what the type needs (reference
// 9.4). A structured payload always ends up in Content.JSON: if it was not sent there it is JSON text in content.text,
// or the members of content themselves (9.3).
func (r *reader) payload(m *incoming, c rawContent) {
	d := &m.Draft
	if d.Type != parley.TypeText && c.json == nil {
		if inner := parseObject(c.text); inner != nil {
			c.json, c.text = inner, ""
		} else if len(c.extra) > 0 {
			if whole, err := json.Marshal(c.extra); err == nil {
				c.json, c.extra = whole, nil
			}
		}
	}
	if c.text != "" || c.html != "" || c.json != nil || c.redact || len(c.extra) > 0 {
		d.Body.Content = &parley.Content{Text: c.text, HTML: c.html, Redact: c.redact, JSON: json.RawMessage(c.json), Extra: c.extra}
	}
	need := func(member string, have bool) { r.missingUnless(have, m.path, member) }
	_, rich := d.Type.Rich()
	switch {
	case d.Type == parley.TypeText:
		need("content.text", c.text != "" || c.html != "" || len(d.Body.Attachments) > 0)
	case d.Type == parley.TypeDeleteSoft || d.Type == parley.TypeDeletePermanent || d.Type == parley.TypeUndo:
		need("parent.messageId", d.Body.Parent != "")
	case d.Type == parley.TypePagePush:
		r.pagePush(m, c)
	case d.Type == parley.TypeConversationState:
		need("content.json.status", jsonString(c.json, "status") != "")
	case rich:
		r.richMessage(m, c)
	}
}

// pagePush needs an absolute URL, in the payload or as the text.
func (r *reader) pagePush(m *incoming, c rawContent) {
	address, where := jsonString(c.json, "url"), "content.json.url"
	if address == "" && c.text != "" {
		address, where = c.text, "content.text"
	}
	switch {
	case address == "":
		r.missing(m.path, "content.json.url")
	case !isWebURL(address):
		r.noteAt(join(m.path, where), parley.BadValue, "must be an absolute http or https URL")
	}
}

// richMessage needs an object; listpicker and richlink, whose payload is documented, also say type and version
// (reference 9.5: nothing else is looked at).
func (r *reader) richMessage(m *incoming, c rawContent) {
	if c.json == nil {
		r.missing(m.path, "content.json")
		return
	}
	if m.Type != parley.TypeRichListpicker && m.Type != parley.TypeRichRichlink {
		return
	}
	for _, member := range []string{"type", "version"} {
		path := join(m.path, "content.json."+member)
		switch v, there := jsonMember(c.json, member); {
		case !there:
			r.missing(m.path, "content.json."+member)
		case v.Kind() != '"':
			r.noteAt(path, parley.BadValue, "must be a string")
		}
	}
}

// jsonMember is a member of a JSON object.
func jsonMember(object jsontext.Value, name string) (v jsontext.Value, ok bool) {
	if object == nil {
		return nil, false
	}
	_ = read(object, "", func(r *reader) {
		r.object(func(member string) {
			if member != name {
				r.skip()
				return
			}
			v = r.raw()
		})
	})
	return v, v != nil
}

// jsonString is a string member of a JSON object, "" if it is absent or something else.
func jsonString(object jsontext.Value, name string) string {
	v, ok := jsonMember(object, name)
	if !ok || v.Kind() != '"' {
		return ""
	}
	return unquote(v)
}
