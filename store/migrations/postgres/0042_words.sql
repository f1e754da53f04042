-- +goose Up
-- Conversations are found by words that keep how a text begins (store/words.go), so that wildcards are looked up, too. They are enciphered:
-- a GIN index keeps words of what was removed.
TRUNCATE insight_terms;
-- Which part of the table can have a place, so that a page does not read every row that the words find.
CREATE INDEX insight_terms_place ON insight_terms USING BRIN (place) WITH (pages_per_range = 16, autosummarize = on);
CREATE TABLE insight_words (
  one     INTEGER PRIMARY KEY CHECK (one = 1),
  cipher  BYTEA,   -- sealed; made when the database is opened first
  written BIGINT -- the words of what was there before are written up to this place; NULL = all
);
INSERT INTO insight_words (one, written) VALUES (1, -1);
