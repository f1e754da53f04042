-- +goose Up
-- Receipts of persons that were removed. They do not tell who it was.
CREATE TABLE erasures (
  id            BYTEA PRIMARY KEY,
  tenant        BIGINT NOT NULL,
  person        BYTEA NOT NULL, -- a hash
  conversations BIGINT NOT NULL,
  agent_users   BIGINT NOT NULL,
  removed       TEXT NOT NULL, -- JSON
  at            BIGINT NOT NULL
);
CREATE INDEX erasures_list ON erasures (tenant, at);
-- A conversation without its customer stays in the figures; one that was deleted does not.
ALTER TABLE forgotten ADD COLUMN anonymous BIGINT NOT NULL DEFAULT 0;
