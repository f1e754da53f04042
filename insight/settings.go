package insight

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"regexp"
	"strings"
	"unicode/utf8"

	strict "github.com/go-json-experiment/json"
	"github.com/go-json-experiment/json/jsontext"

	"parley/insight/entity"

	"parley"
)

// Settings has the rules of user settings (reference 6). Safe for concurrent use.
type Settings struct{ *Vocabularies }

// Of are the settings of a tenant; Document is empty if nothing is set.
func (s Settings) Of(ctx context.Context, tenant parley.TenantID) (u parley.UserSettings, err error) {
	err = s.store.View(ctx, func(tx parley.Tx) (err error) {
		u, err = tx.UserSettings(ctx, tenant)
		return err
	})
	return u, err
}

// Patch applies operations (RFC 6902: add, replace, remove), all of them or none.
func (s Settings) Patch(ctx context.Context, tenant parley.TenantID, ops []PatchOperation) (u parley.UserSettings, err error) {
	if err := checkCount(ops); err != nil {
		return u, err
	}
	for i, op := range ops {
		if err := checkOperation(op); err != nil {
			return u, at(err, i, len(ops) > 1)
		}
	}
	err = s.update(ctx, tenant, func(tx parley.Tx) (err error) {
		if u, err = tx.UserSettings(ctx, tenant); err != nil {
			return err
		}
		document := u.Document
		if len(document) == 0 {
			document = []byte("{}")
		}
		if document, err = applyPatch(document, ops, ""); err != nil {
			return err
		}
		if u.Document, err = formSettings(document); err != nil {
			return err
		}
		if u.Number == 0 {
			u.Number = newNumber()
		}
		return tx.PutUserSettings(ctx, u)
	})
	if err != nil {
		return u, fmt.Errorf("patch settings: %w", err)
	}
	return u, nil
}

func checkOperation(op PatchOperation) error {
	switch {
	case op.Op != "add" && op.Op != "replace" && op.Op != "remove":
		return invalid("op", "%q must be add, replace or remove, not %q", "op", op.Op)
	case len(op.Path) < 2 || op.Path[0] != '/':
		return invalid("path", "%q must name a setting, as /redaction/type does, not %q", "path", op.Path)
	case strings.Count(op.Path, "/") > settingsDepth:
		return invalid("path", "%q: there is no such setting", "path")
	case op.Op != "remove" && op.Value == nil:
		return invalid("value", "%q is required for %s", "value", op.Op)
	}
	return nil
}

// settingsDepth is how deep settings lie, as /intelligence/bookmarks/duration and /redaction/exclude/0 do.
const settingsDepth = 3

// settings is the document of a tenant's settings.
type settings struct {
	Intelligence *intelligence `json:"intelligence,omitempty"`
	Redaction    *Redaction    `json:"redaction,omitempty"`
}

type intelligence struct {
	Bookmarks *bookmarks `json:"bookmarks,omitempty"`
}

type bookmarks struct {
	Duration *float64 `json:"duration,omitempty"` // seconds
}

// Redaction says what is made unrecognisable, and how.
type Redaction struct {
	Default *bool        `json:"default,omitempty"` // everything that is said from now on
	Type    *string      `json:"type,omitempty"`    // "default", "obfuscation" or "custom"; nil = "default"
	Exclude []string     `json:"exclude,omitempty"` // entity names
	Custom  replacements `json:"custom,omitempty"`  // entity name → replacement; "default" → the mode of all others
}

// replacements are texts by name.
type replacements map[string]string

// UnmarshalJSONFrom implements [strict.UnmarshalerFrom]: null is no text, though a decoder takes it for an empty one.
func (r *replacements) UnmarshalJSONFrom(d *jsontext.Decoder) error {
	var all map[string]*string
	if err := strict.UnmarshalDecode(d, &all); err != nil {
		return err
	}
	*r = nil
	for name, to := range all {
		if to == nil {
			return invalid("custom", "%q must be a string, not null", "custom."+name)
		}
		if *r == nil {
			*r = replacements{}
		}
		(*r)[name] = *to
	}
	return nil
}

// ByDefault says whether everything that is said is redacted.
func (r *Redaction) ByDefault() bool { return r != nil && r.Default != nil && *r.Default }

// mode is how it is done.
func (r *Redaction) mode() string {
	if r.Type == nil {
		return entity.Default
	}
	return *r.Type
}

// The limits of redaction: a replacement stands in a message as often as what it replaces.
const (
	maxReplacement = 128 // characters of it, and of a name
	maxNames       = 1000
)

var entityName = regexp.MustCompile(`^[A-Z][A-Z0-9_]*$`)

// formSettings checks a document and leaves out what is empty; nothing at all if all is.
func formSettings(document []byte) ([]byte, error) {
	var s settings
	if err := strict.Unmarshal(document, &s, strict.RejectUnknownMembers(true)); err != nil {
		if e, ok := errors.AsType[*parley.Error](err); ok {
			return nil, e
		}
		return nil, &parley.Error{Kind: parley.Invalid, Reason: parley.BadValue, Err: err, Msg: settingsProblem(err)}
	}
	if i := s.Intelligence; i != nil {
		if i.Bookmarks != nil && i.Bookmarks.Duration == nil {
			i.Bookmarks = nil
		}
		if i.Bookmarks == nil {
			s.Intelligence = nil
		} else if *i.Bookmarks.Duration <= 0 {
			return nil, invalid("duration", "%q must be more than 0 seconds", "duration")
		}
	}
	if s.Redaction != nil {
		if err := s.Redaction.check(); err != nil {
			return nil, err
		}
		if s.Redaction.Default == nil && s.Redaction.Type == nil && len(s.Redaction.Exclude) == 0 && len(s.Redaction.Custom) == 0 {
			s.Redaction = nil
		}
	}
	if s.Intelligence == nil && s.Redaction == nil {
		return nil, nil
	}
	return json.Marshal(s)
}

func (r *Redaction) check() error {
	switch mode := r.mode(); mode {
	case entity.Default, entity.Obfuscation, entity.Custom:
	default:
		return invalid("type", "%q must be default, obfuscation or custom, not %q", "type", mode)
	}
	if len(r.Exclude) > maxNames || len(r.Custom) > maxNames {
		return invalid("redaction", "%q may name %d entities in exclude, and as many in custom", "redaction", maxNames)
	}
	for i, name := range r.Exclude {
		if !entityName.MatchString(name) || len(name) > maxReplacement {
			return invalid("exclude", "%q must be an entity name such as PERSON_NAME of at most %d characters, not %.200q", fmt.Sprintf("exclude[%d]", i), maxReplacement, name)
		}
	}
	for name, to := range r.Custom {
		if name == entity.Default {
			if to != entity.Default && to != entity.Obfuscation {
				return invalid("default", "%q must be default or obfuscation, not %q", "custom.default", to)
			}
			continue
		}
		if !entityName.MatchString(name) || len(name) > maxReplacement {
			return invalid("custom", "%q must have entity names such as PERSON_NAME of at most %d characters, not %.200q", "custom", maxReplacement, name)
		}
		if utf8.RuneCountInString(to) > maxReplacement {
			return invalid("custom", "%q may have %d characters", "custom."+name, maxReplacement)
		}
		if err := checkText("custom."+name, to); err != nil {
			return err
		}
	}
	return nil
}

// settingsProblem is what of a decoder's error concerns the sender.
func settingsProblem(err error) string {
	e, ok := errors.AsType[*strict.SemanticError](err)
	switch {
	case !ok:
		return "the settings would be no JSON"
	case errors.Is(err, strict.ErrUnknownName):
		return fmt.Sprintf("%q: there is no such setting", e.JSONPointer)
	}
	return fmt.Sprintf("%q has another type", e.JSONPointer)
}

// redactionOf reads the settings of redaction; nil if there are none.
func redactionOf(u parley.UserSettings) (*Redaction, error) {
	if len(u.Document) == 0 {
		return nil, nil
	}
	var s settings
	if err := json.Unmarshal(u.Document, &s); err != nil {
		return nil, fmt.Errorf("read settings: %w", err)
	}
	return s.Redaction, nil
}
