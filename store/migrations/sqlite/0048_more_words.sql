-- +goose Up
-- Names and labels are told apart by order, too, as numbers where they are some, and ids and ends by their first digits (store/words.go):
-- the words are written anew, without what the full-text index has kept of the others.
DROP TABLE insight_terms;
CREATE VIRTUAL TABLE insight_terms USING fts5 (terms, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii',
  prefix = '10 12 14 16 18 20 22 24 26 28 30 32 34 36 38 40 42');
UPDATE insight_words SET written = -1;
-- Which names, labels and types there are.
CREATE INDEX insights_names ON insights (tenant, name) WHERE name <> '';
CREATE INDEX insights_name_figures ON insights (tenant, figure) WHERE figure IS NOT NULL AND name <> '';
CREATE INDEX insights_types ON insights (tenant, type);
CREATE INDEX conversation_labels_labels ON conversation_labels (tenant, label);
CREATE INDEX conversation_labels_figures ON conversation_labels (tenant, figure) WHERE figure IS NOT NULL;
