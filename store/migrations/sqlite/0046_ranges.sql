-- +goose Up
-- Numbers have words that begin alike if they lie together, and words of their own as texts (store/words.go), so that < and the like are
-- looked up, too: the words are written anew, without what the full-text index has kept of the others.
DROP TABLE insight_terms;
CREATE VIRTUAL TABLE insight_terms USING fts5 (terms, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii',
  prefix = '10 12 14 16 18 20 22 24 26 28 30 32 34 36 38 40 42');
UPDATE insight_words SET written = -1;
-- Which numbers a key has.
CREATE INDEX conversation_metadata_figures ON conversation_metadata (tenant, name, figure) WHERE figure IS NOT NULL;
