-- +goose Up
-- What is known about conversations, and how they are found in groups (docs/groups.md).
--
-- place is the order of every listing: milliseconds of the start in the high bits, then 20 bits that tell conversations of
-- one millisecond apart. It stands for started, so that one small integer is key, order and bound of time at once; what may
-- change with every message (ended, seq) is in no index.
CREATE TABLE insights (
  place        INTEGER PRIMARY KEY,
  conversation BIGINT NOT NULL UNIQUE,
  tenant       BIGINT NOT NULL,
  number       BIGINT NOT NULL, -- id on the manage surface
  name         TEXT NOT NULL,   -- '' = shown as the number
  figure       BIGINT,          -- of the name as shown: see conversation_metadata
  type         TEXT NOT NULL,
  ended        BIGINT NOT NULL,
  seq          BIGINT NOT NULL,
  metadata     TEXT NOT NULL,   -- JSON, to be shown
  members      TEXT NOT NULL,   -- JSON, to be shown
  UNIQUE (tenant, number)
);
CREATE INDEX insights_place ON insights (tenant, place);
-- Hashes of tenant, name, value: what a conversation, whose place is the rowid, can be found by.
CREATE VIRTUAL TABLE insight_terms USING fts5 (terms, content = '', contentless_delete = 1, detail = none, tokenize = 'ascii');

-- figure is the number that the value is, as an integer in the same order; NULL = it is none.
CREATE TABLE conversation_metadata (
  tenant BIGINT NOT NULL,
  place  BIGINT NOT NULL,
  name   TEXT NOT NULL,
  value  TEXT NOT NULL,
  figure BIGINT,
  PRIMARY KEY (place, name)
) WITHOUT ROWID;
-- Which values a key has: a wildcard is looked up here.
CREATE INDEX conversation_metadata_values ON conversation_metadata (tenant, name, value);

CREATE TABLE conversation_labels (
  tenant BIGINT NOT NULL,
  place  BIGINT NOT NULL,
  label  TEXT NOT NULL,
  figure BIGINT,
  at     BIGINT NOT NULL,
  PRIMARY KEY (place, label)
) WITHOUT ROWID;
