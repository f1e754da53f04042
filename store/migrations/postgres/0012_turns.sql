-- +goose Up
-- Inputs to bots for which somebody waits, or that are answered in turns, by the Seq of the question.
CREATE TABLE turns (
  conversation BIGINT NOT NULL REFERENCES conversations (key),
  seq          BIGINT NOT NULL,
  question     BYTEA NOT NULL,
  request      TEXT NOT NULL,   -- '' = not named
  status       TEXT NOT NULL,
  failure      TEXT NOT NULL,
  problem      TEXT NOT NULL,
  first        BIGINT NOT NULL, -- 0 = no answer
  last         BIGINT NOT NULL,
  result       TEXT NOT NULL,   -- JSON
  opened       BIGINT NOT NULL,
  closed       BIGINT,          -- NULL = open
  PRIMARY KEY (conversation, seq)
);
