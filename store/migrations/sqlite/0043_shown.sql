-- +goose Up
-- How far the sessions of the parties of a conversation had it, and since when: a row each time that more of it was known.
CREATE TABLE shown (
  conversation INTEGER NOT NULL,
  slot         INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  at           INTEGER NOT NULL,
  PRIMARY KEY (conversation, slot, seq)
) WITHOUT ROWID;
