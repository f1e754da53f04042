package broker

import (
	"net/http"

	"parley"
	"parley/rest/api"
)

// apiKey shows the newest key of an environment to its administrators (reference 10).
func (s *Surface) apiKey(w http.ResponseWriter, r *http.Request) error {
	p, err := s.asAdministrator(r)
	if err != nil {
		return err
	}
	var newest *parley.APIClient
	ctx, now := r.Context(), s.now()
	err = s.Store.View(ctx, func(tx parley.Tx) error {
		const page = 200
		for offset := 0; ; offset += page {
			keys, count, err := tx.Clients(ctx, parley.ClientQuery{Tenant: p.tenant.ID, Kinds: []parley.KeyKind{parley.KeyBroker}, Offset: offset, Limit: page})
			if err != nil {
				return err
			}
			for i := range keys {
				if !keys[i].Ended(now) {
					newest = &keys[i]
				}
			}
			if offset+page >= count {
				return nil
			}
		}
	})
	if err != nil {
		return err
	}
	if newest == nil {
		return fail(http.StatusNotFound, "NOT_FOUND", "the environment has no API key")
	}
	w.Header().Set("Cache-Control", "no-store")
	api.WriteJSON(w, http.StatusOK, map[string]string{"apiKey": newest.Shown})
	return nil
}
