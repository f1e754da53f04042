package manage

import (
	"encoding/json"
	"fmt"

	"parley"
)

// Settings are shown with their id, and as {} while nothing is set (reference 6).
func showSettings(u parley.UserSettings) (any, error) {
	members := map[string]json.RawMessage{}
	if len(u.Document) > 0 {
		if err := json.Unmarshal(u.Document, &members); err != nil {
			return nil, fmt.Errorf("read user settings: %w", err)
		}
	}
	if len(members) == 0 {
		return struct{}{}, nil
	}
	shown := map[string]any{"id": u.Number.String()}
	for name, value := range members {
		shown[name] = value
	}
	return map[string]any{"settings": shown}, nil
}

func (s *Surface) getSettings(r *request) (answer, error) {
	u, err := s.settings.Of(r.Context(), r.tenant)
	if err != nil {
		return answer{}, err
	}
	shown, err := showSettings(u)
	return ok(shown), err
}

// patchSettings answers with the id even if the last setting was removed.
func (s *Surface) patchSettings(r *request) (answer, error) {
	ops, err := patch(r)
	if err != nil {
		return answer{}, err
	}
	u, err := s.settings.Patch(r.Context(), r.tenant, ops)
	if err != nil {
		return answer{}, err
	}
	shown, err := showSettings(u)
	if _, empty := shown.(struct{}); empty {
		shown = map[string]any{"settings": map[string]any{"id": u.Number.String()}}
	}
	return ok(shown), err
}
