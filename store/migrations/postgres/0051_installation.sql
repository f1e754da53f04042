-- +goose Up
-- What tells this installation from others that share a Redis with it.
CREATE TABLE installation (
  one INTEGER PRIMARY KEY CHECK (one = 1),
  id  TEXT NOT NULL
);
INSERT INTO installation (one, id) VALUES (1, substr(md5(random()::text || clock_timestamp()::text), 1, 16));
