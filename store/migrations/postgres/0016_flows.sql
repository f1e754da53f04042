-- +goose Up
-- Flows of bots, each as it was saved once.
CREATE TABLE flows (
  tenant  BIGINT NOT NULL,
  bot     BYTEA NOT NULL,      -- id of its application
  number  BIGINT NOT NULL,
  source  BYTEA NOT NULL,
  live    BIGINT NOT NULL,  -- 1: customers talk to it
  author  TEXT NOT NULL,
  created BIGINT NOT NULL,
  PRIMARY KEY (bot, number)
);
