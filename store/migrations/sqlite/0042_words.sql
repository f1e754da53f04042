-- +goose Up
-- Conversations are found by words that keep how a text begins (store/words.go), so that wildcards are looked up, too. They are enciphered:
-- the full-text index keeps words of what was removed until it merges its parts.
DROP TABLE insight_terms;
-- The prefixes are those of a selector, and of up to 16 bytes of a text behind it.
CREATE VIRTUAL TABLE insight_terms USING fts5 (terms, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii',
  prefix = '10 12 14 16 18 20 22 24 26 28 30 32 34 36 38 40 42');
CREATE TABLE insight_words (
  one     INTEGER PRIMARY KEY CHECK (one = 1),
  cipher  BLOB,   -- sealed; made when the database is opened first
  written BIGINT -- the words of what was there before are written up to this place; NULL = all
);
INSERT INTO insight_words (one, written) VALUES (1, -1);
