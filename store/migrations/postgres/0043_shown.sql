-- +goose Up
-- How far the sessions of the parties of a conversation had it, and since when: a row each time that more of it was known.
CREATE TABLE shown (
  conversation BIGINT NOT NULL,
  slot         BIGINT NOT NULL,
  seq          BIGINT NOT NULL,
  at           BIGINT NOT NULL,
  PRIMARY KEY (conversation, slot, seq)
);
