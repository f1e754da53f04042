-- +goose Up
-- Times are milliseconds since 1970 UTC, ids 16 bytes; rows refer to each other by integer keys.
CREATE TABLE organisations (
  id      BLOB PRIMARY KEY,
  name    TEXT NOT NULL,
  created INTEGER NOT NULL
);

CREATE TABLE tenants (
  key            INTEGER PRIMARY KEY,
  id             BLOB NOT NULL UNIQUE,
  organisation   BLOB NOT NULL REFERENCES organisations (id),
  name           TEXT NOT NULL,
  require_bearer INTEGER NOT NULL DEFAULT 0,
  widget_secret  BLOB NOT NULL, -- sealed
  created        INTEGER NOT NULL,
  modified       INTEGER NOT NULL
);

CREATE TABLE conversations (
  key        INTEGER PRIMARY KEY,
  id         BLOB NOT NULL UNIQUE,
  tenant     INTEGER NOT NULL REFERENCES tenants (key),
  account    BLOB NOT NULL,
  contact    TEXT NOT NULL, -- address that identifies the customer
  start_key  BLOB UNIQUE,   -- guarantee G3 for the message that starts a conversation; NULL without a messageId
  epoch      INTEGER NOT NULL,
  seq        INTEGER NOT NULL,
  touched    INTEGER NOT NULL,
  waiting    INTEGER,       -- since when the owner owes an answer
  wake_at    INTEGER,       -- not later than the next deadline
  status     TEXT NOT NULL,
  owner_kind TEXT NOT NULL,
  owner_app  BLOB,
  held       INTEGER NOT NULL DEFAULT 0, -- 1: messages are retained for owner_app
  owner      TEXT NOT NULL, -- JSON
  state      TEXT NOT NULL, -- JSON
  created    INTEGER NOT NULL,
  ended      INTEGER
);
CREATE INDEX conversations_customer ON conversations (tenant, account, contact, created);
CREATE INDEX conversations_wake ON conversations (wake_at) WHERE wake_at IS NOT NULL;
CREATE INDEX conversations_held ON conversations (tenant, owner_app, key) WHERE held > 0;

-- Appended in order of commit; the index gives the order of a conversation. The tables of the hot path have no foreign
-- keys: the one writer makes parent and child in one transaction, and a check per row would cost a look-up each.
CREATE TABLE messages (
  key          INTEGER PRIMARY KEY,
  tenant       INTEGER NOT NULL,
  conversation INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  id           BLOB NOT NULL,
  type         TEXT NOT NULL,
  sender       TEXT NOT NULL,
  created      INTEGER NOT NULL,
  addressed    INTEGER NOT NULL,           -- bit n: to the party in slot n
  deleted      INTEGER NOT NULL DEFAULT 0, -- 1 softly, 2 erased
  repeat_hash  INTEGER,                    -- of sender and messageId
  explanation  TEXT NOT NULL,
  body         TEXT NOT NULL               -- JSON
);
CREATE UNIQUE INDEX messages_seq ON messages (conversation, seq);
CREATE INDEX messages_repeat ON messages (conversation, repeat_hash) WHERE repeat_hash IS NOT NULL;

CREATE TABLE receivers (
  key         INTEGER PRIMARY KEY,
  tenant      INTEGER NOT NULL REFERENCES tenants (key),
  application BLOB NOT NULL,
  role        TEXT NOT NULL,
  disabled    TEXT NOT NULL DEFAULT '', -- why nothing is sent; '' = enabled
  UNIQUE (tenant, application, role)
);

-- A lane is due when it owes something: due is when to try, NULL when nothing is owed.
CREATE TABLE lanes (
  key          INTEGER PRIMARY KEY,
  tenant       INTEGER NOT NULL,
  conversation INTEGER NOT NULL,
  slot         INTEGER NOT NULL,
  receiver     INTEGER NOT NULL,
  tail         INTEGER NOT NULL,
  acked        INTEGER NOT NULL DEFAULT 0,
  due          INTEGER,
  attempts     INTEGER NOT NULL DEFAULT 0,
  lease        INTEGER,
  lease_until  INTEGER,
  UNIQUE (conversation, slot)
);
CREATE INDEX lanes_due ON lanes (due) WHERE due IS NOT NULL;
CREATE INDEX lanes_receiver ON lanes (receiver);

CREATE TABLE attempts (
  key      INTEGER PRIMARY KEY,
  tenant   INTEGER NOT NULL,
  lane     INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  at       INTEGER NOT NULL,
  duration INTEGER NOT NULL, -- microseconds
  status   INTEGER NOT NULL,
  error    TEXT NOT NULL,
  answer   TEXT NOT NULL
);
CREATE INDEX attempts_lane ON attempts (lane, seq);

-- Only exceptions are rows: dead now; held back and skipped later.
CREATE TABLE exceptions (
  lane   INTEGER NOT NULL,
  seq    INTEGER NOT NULL,
  tenant INTEGER NOT NULL,
  state  TEXT NOT NULL,
  reason TEXT NOT NULL,
  at     INTEGER NOT NULL,
  PRIMARY KEY (lane, seq)
);

CREATE TABLE availability (
  tenant      INTEGER NOT NULL REFERENCES tenants (key),
  application BLOB NOT NULL,
  available   INTEGER NOT NULL,
  changed     INTEGER NOT NULL,
  PRIMARY KEY (tenant, application)
);
