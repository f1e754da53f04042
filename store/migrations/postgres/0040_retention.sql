-- +goose Up
-- For how long environments keep what they have, and what that has removed.
CREATE TABLE retentions (
  tenant   BIGINT PRIMARY KEY REFERENCES tenants (key),
  settings TEXT NOT NULL,   -- JSON: days by kind
  starts   BIGINT NOT NULL,
  modified BIGINT NOT NULL
);
CREATE TABLE retention_removed (
  tenant  BIGINT NOT NULL,
  kind    TEXT NOT NULL,
  removed BIGINT NOT NULL,
  at      BIGINT NOT NULL,
  PRIMARY KEY (tenant, kind)
);
CREATE INDEX conversations_ended ON conversations (tenant, ended) WHERE ended IS NOT NULL;
CREATE INDEX attempts_at ON attempts (tenant, at);
CREATE INDEX agent_files_conversation ON agent_files (conversation);
-- used: by how many messages. touched: when the file was made or last used.
ALTER TABLE assets ADD COLUMN touched BIGINT NOT NULL DEFAULT 0;
UPDATE assets SET touched = created;
CREATE INDEX assets_touched ON assets (tenant, touched);
CREATE INDEX figure_changes_conversation ON figure_changes (conversation);
