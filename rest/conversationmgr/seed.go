package conversationmgr

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"

	"go.yaml.in/yaml/v3"

	"parley"
)

// Seed makes client applications under ids that integrators know, or brings those there are up to date (reference section
// 3). text is a list in YAML, or JSON: each element is what POST /clientapplications takes, with its id. Those before one
// that is refused stay.
func (s *Surface) Seed(ctx context.Context, tenant parley.TenantID, text []byte) error {
	var all []map[string]any
	if err := yaml.Unmarshal(text, &all); err != nil {
		return fmt.Errorf("seed: no list of client applications: %w", err)
	}
	for i, one := range all {
		if err := s.seed(ctx, tenant, one); err != nil {
			return fmt.Errorf("seed: client application %d: %w", i+1, err)
		}
	}
	return nil
}

func (s *Surface) seed(ctx context.Context, tenant parley.TenantID, one map[string]any) error {
	named, _ := one["id"].(string)
	id, err := parley.ParseID[parley.ClientApplication](named)
	if err != nil {
		return err
	}
	raw, err := json.Marshal(one)
	if err != nil {
		return err
	}
	if raw, err = s.contract.Validate(http.MethodPost, "/clientapplications", raw); err != nil {
		return err
	}
	var in ClientApplicationInput
	if err := json.Unmarshal(raw, &in); err != nil {
		return err
	}
	app, err := fromApplication(&in)
	if err != nil {
		return err
	}
	return s.directory.Applications.Keep(ctx, tenant, id, app)
}
