-- +goose Up
-- Numbers have words that begin alike if they lie together, and words of their own as texts (store/words.go), so that < and the like are
-- looked up, too: the words are written anew.
TRUNCATE insight_terms;
UPDATE insight_words SET written = -1;
-- Which numbers a key has.
CREATE INDEX conversation_metadata_figures ON conversation_metadata (tenant, name, figure) WHERE figure IS NOT NULL;
