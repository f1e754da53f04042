-- +goose Up
-- Nothing to do: SQLite keeps no words in rows. Both databases have the same numbers.
SELECT 1;
