-- +goose Up
-- What tenants want found: trackers, entities, groups. Numbers are their public ids.
CREATE TABLE vocabularies (
  number   INTEGER NOT NULL,
  tenant   INTEGER NOT NULL REFERENCES tenants (key),
  kind     TEXT NOT NULL,
  name     TEXT NOT NULL, -- what no two of the kind share
  body     TEXT NOT NULL, -- JSON
  created  INTEGER NOT NULL,
  modified INTEGER NOT NULL,
  PRIMARY KEY (tenant, number),
  UNIQUE (tenant, kind, name)
);
CREATE TABLE user_settings (
  tenant   INTEGER PRIMARY KEY REFERENCES tenants (key),
  number   INTEGER NOT NULL,
  document TEXT NOT NULL -- JSON
);
-- Grows with each change of the two above: who compiled them looks here whether that is still true.
CREATE TABLE generations (
  tenant     INTEGER PRIMARY KEY REFERENCES tenants (key),
  generation INTEGER NOT NULL
);

-- What was found. Nothing here repeats the text of a message but the words that speak for a hit, which go with the text.
CREATE TABLE tracker_hits (
  conversation INTEGER NOT NULL,
  tracker      INTEGER NOT NULL,
  phrase       INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  tenant       INTEGER NOT NULL,
  name         TEXT NOT NULL,
  value        TEXT NOT NULL,
  place        INTEGER NOT NULL, -- in UTF-16 code units, -1 = of similar meaning
  length       INTEGER NOT NULL,
  similarity   INTEGER NOT NULL, -- in ten thousandths
  words        TEXT NOT NULL, -- JSON
  PRIMARY KEY (conversation, tracker, phrase, seq)
);
CREATE TABLE entity_hits (
  conversation INTEGER NOT NULL,
  entity       INTEGER NOT NULL, -- 0 = built in
  type         TEXT NOT NULL,
  subtype      TEXT NOT NULL,
  ordinal      INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  place        INTEGER NOT NULL,
  tenant       INTEGER NOT NULL,
  category     TEXT NOT NULL,
  value        TEXT NOT NULL,
  length       INTEGER NOT NULL,
  PRIMARY KEY (conversation, entity, type, subtype, ordinal, seq, place)
);

-- How far followers of the record are, as a key of messages.
CREATE TABLE feeds (
  follower TEXT PRIMARY KEY,
  cursor   INTEGER NOT NULL
);

CREATE TABLE jobs (
  id       BLOB PRIMARY KEY,
  tenant   INTEGER NOT NULL REFERENCES tenants (key),
  kind     TEXT NOT NULL,
  status   TEXT NOT NULL,
  todo     INTEGER NOT NULL, -- 1: not over, or with a webhook to tell
  body     TEXT NOT NULL,   -- JSON
  created  INTEGER NOT NULL
);
CREATE INDEX jobs_todo ON jobs (created) WHERE todo > 0;
CREATE INDEX jobs_tenant ON jobs (tenant, kind, created);
