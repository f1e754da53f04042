-- +goose Up
-- Words lie beside the rows that have them, so that the rows are on few pages: what is joined by words is told apart by pages (ADR 26). PostgreSQL moves
-- a value out of a row only when the row has more than 2 KB, however small its target is; wide makes it so, and is some bytes when it is
-- compressed, which comes first. The words are written anew.
TRUNCATE insight_terms;
UPDATE insight_words SET written = -1;
ALTER TABLE insight_terms ADD COLUMN wide TEXT NOT NULL DEFAULT repeat(' ', 2048);
ALTER TABLE insight_terms ALTER COLUMN wide SET STATISTICS 0;
ALTER TABLE insight_terms ALTER COLUMN terms SET STORAGE EXTERNAL;
ALTER TABLE insight_terms SET (toast_tuple_target = 128);
