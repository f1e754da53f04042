-- +goose Up
-- What bots and agent programs said after they had lost the turn.
CREATE TABLE refused (
  key          INTEGER PRIMARY KEY,
  conversation BIGINT NOT NULL REFERENCES conversations (key),
  seq          BIGINT NOT NULL,  -- of the last message before it
  sender       TEXT NOT NULL,
  application  BLOB,
  type         TEXT NOT NULL,
  said         TEXT NOT NULL,
  reason       TEXT NOT NULL,
  at           BIGINT NOT NULL
);
CREATE INDEX refused_conversation ON refused (conversation, key);
