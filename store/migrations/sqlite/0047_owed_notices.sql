-- +goose Up
-- What people are to be told of receivers, until somebody has told them, or given up: by then nobody else tries.
CREATE TABLE owed_notices (
  key      INTEGER PRIMARY KEY,
  receiver INTEGER NOT NULL REFERENCES receivers (key),
  disabled INTEGER NOT NULL, -- 1 = the receiver is; 0 = a delivery was given up
  reason   TEXT NOT NULL,
  delivery BLOB,             -- of what was given up
  at       INTEGER NOT NULL,
  until    INTEGER NOT NULL
);
CREATE INDEX owed_notices_until ON owed_notices (until);
