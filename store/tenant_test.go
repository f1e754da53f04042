package store_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"parley"
	"parley/store"
	"parley/store/storetest"
)

// ofConversations are tables whose rows go with conversations, of which a tenant that is deleted has none.
var ofConversations = []string{"conversations", "messages", "lanes", "attempts", "exceptions", "receipts", "insights", "insight_terms", "conversation_metadata", "conversation_labels",
	"tracker_hits", "entity_hits", "bot_sessions", "agent_conversations"}

// refusing are those for which a tenant is not deleted: see TestTenantIsDeletedOnlyWhenEmpty.
var refusing = []string{"objects", "vocabularies", "assets", "clients"}

// A deleted tenant leaves nothing behind, in whatever table there is or will be. SQLite gives its key to the next tenant, who would find it.
func TestDeletedTenantsLeaveNothing(t *testing.T) {
	storetest.Each(t, func(t *testing.T, open opener) {
		s := open(t)
		tenant := newTenant(t, s)
		key := s.Number(t, "SELECT MAX(key) FROM tenants")
		var filled []string
		for _, table := range tablesWith(t, s, "tenant") {
			if slices.Contains(ofConversations, table) || slices.Contains(refusing, table) {
				continue
			}
			fillTable(t, s, table, key)
			if s.Number(t, fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE tenant = %d", table, key)) == 0 {
				t.Fatalf("the test has nothing in %s", table)
			}
			filled = append(filled, table)
		}
		if len(filled) < 15 {
			t.Fatalf("only %v have rows of a tenant", filled)
		}
		dimension := s.Number(t, fmt.Sprintf("SELECT key FROM visit_dimensions WHERE tenant = %d", key))
		s.Exec(t, fmt.Sprintf("UPDATE visit_dimensions SET series = key WHERE tenant = %d", key))
		s.Exec(t, fmt.Sprintf("INSERT INTO visits (generation, conversation, part, dimension, hour, cell, first_seq, last_seq, started, last, closes, person, facts) VALUES (1, 9, 0, %d, 0, 0, 1, 1, 1, 1, NULL, 7, '{}')", dimension))
		s.Exec(t, fmt.Sprintf("INSERT INTO visit_hours (dimension, start, part, visits, messages, messages_min, messages_max, seconds, seconds_min, seconds_max, said_user, said_bot, said_agent) VALUES (%d, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1)", dimension))
		for _, table := range []string{"visit_hour_totals", "visit_day_totals"} {
			s.Exec(t, fmt.Sprintf("INSERT INTO %s (dimension, start, part, totals) SELECT %d, 0, 0, id FROM tenants WHERE key = %d", table, dimension, key))
		}
		s.Exec(t, fmt.Sprintf("INSERT INTO visit_days (series, start, counts) SELECT %d, 0, id FROM tenants WHERE key = %d", dimension, key))
		update(t, s, func(tx parley.Tx) error { return tx.DeleteTenant(t.Context(), tenant) })
		for _, table := range filled {
			if n := s.Number(t, fmt.Sprintf("SELECT COUNT(*) FROM %s WHERE tenant = %d", table, key)); n > 0 {
				t.Errorf("%d rows are left in %s", n, table)
			}
		}
		for _, table := range []string{"visits", "visit_hours", "visit_hour_totals", "visit_day_totals", "visit_days"} {
			if n := s.Number(t, "SELECT COUNT(*) FROM "+table); n > 0 {
				t.Errorf("%d rows are left in %s", n, table)
			}
		}
	})
}

// fillTable puts one row of a tenant into a table, with something in each column that needs it.
func fillTable(t *testing.T, s *store.Store, table string, tenant int64) {
	t.Helper()
	columns := "SELECT name || ' ' || type FROM pragma_table_info('" + table + "') WHERE \"notnull\" = 1 AND name NOT IN ('key', 'tenant')"
	if isPostgres(t) {
		columns = "SELECT column_name || ' ' || data_type FROM information_schema.columns WHERE table_schema = 'public' AND table_name = '" + table + "' AND is_nullable = 'NO' AND column_name NOT IN ('key', 'tenant')"
	}
	names, values := []string{"tenant"}, []string{fmt.Sprint(tenant)}
	for _, column := range s.Texts(t, columns) {
		name, kind, _ := strings.Cut(strings.ToLower(column), " ")
		value := "1"
		switch kind {
		case "blob", "bytea":
			value = fmt.Sprintf("(SELECT id FROM tenants WHERE key = %d)", tenant)
		case "text":
			value = "'x'"
		}
		names, values = append(names, name), append(values, value)
	}
	s.Exec(t, fmt.Sprintf("INSERT INTO %s (%s) VALUES (%s)", table, strings.Join(names, ", "), strings.Join(values, ", ")))
}
