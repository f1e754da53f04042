-- +goose Up
-- Names and labels are told apart by order, too, as numbers where they are some, and ids and ends by their first digits (store/words.go):
-- the words are written anew.
TRUNCATE insight_terms;
UPDATE insight_words SET written = -1;
ALTER TABLE insights ALTER COLUMN name TYPE TEXT COLLATE "C", ALTER COLUMN type TYPE TEXT COLLATE "C";
-- Which names, labels and types there are.
CREATE INDEX insights_names ON insights (tenant, name) WHERE name <> '';
CREATE INDEX insights_name_figures ON insights (tenant, figure) WHERE figure IS NOT NULL AND name <> '';
CREATE INDEX insights_types ON insights (tenant, type);
CREATE INDEX conversation_labels_labels ON conversation_labels (tenant, label);
CREATE INDEX conversation_labels_figures ON conversation_labels (tenant, figure) WHERE figure IS NOT NULL;
