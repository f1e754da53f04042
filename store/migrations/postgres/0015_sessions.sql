-- +goose Up
-- What the broker surface knows of a conversation beside it.
CREATE TABLE bot_sessions (
  conversation BIGINT PRIMARY KEY REFERENCES conversations (key),
  tenant       BIGINT NOT NULL,
  bot          BYTEA NOT NULL,    -- id of its application
  business_key TEXT NOT NULL,
  told         BIGINT NOT NULL,  -- 1: the channel heard that people ended it
  created      BIGINT NOT NULL
);
CREATE INDEX bot_sessions_business ON bot_sessions (tenant, business_key, created);
-- Messages of conversations with somebody who waits for answers, by their ids: what the channel calls them.
CREATE TABLE interactions (
  id           BYTEA PRIMARY KEY,
  conversation BIGINT NOT NULL,
  seq          BIGINT NOT NULL
);
-- Whether an answer helped.
CREATE TABLE ratings (
  conversation BIGINT NOT NULL,
  seq          BIGINT NOT NULL,
  requester    TEXT NOT NULL,
  helpful      BIGINT NOT NULL,
  at           BIGINT NOT NULL,
  PRIMARY KEY (conversation, seq)
);
-- What a customer thought of a session.
CREATE TABLE surveys (
  conversation BIGINT PRIMARY KEY,
  id           BYTEA NOT NULL,
  evaluation   BIGINT NOT NULL, -- 0 = none
  answered     BIGINT NOT NULL,
  comments     TEXT NOT NULL,
  at           BIGINT NOT NULL
);
