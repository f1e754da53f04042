-- +goose Up
-- How a receiver does: since when there were only failures, until when its circuit breaker is open and how often it
-- opened in a row, and when somebody was last told by mail.
ALTER TABLE receivers ADD COLUMN failing INTEGER;
ALTER TABLE receivers ADD COLUMN broken INTEGER;
ALTER TABLE receivers ADD COLUMN breaks INTEGER NOT NULL DEFAULT 0;
ALTER TABLE receivers ADD COLUMN noticed INTEGER;
CREATE INDEX receivers_broken ON receivers (broken) WHERE broken IS NOT NULL;

-- blocked: the seq of a dead delivery that the lane does not go past. again: how many deliveries are to be replayed.
-- due is what both sides of the road rely on, so the database keeps it true. (SQLite adds checks to new tables only.)
CREATE TABLE new_lanes (
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
  blocked      INTEGER,
  again        INTEGER NOT NULL DEFAULT 0,
  UNIQUE (conversation, slot),
  CONSTRAINT lanes_owing_is_due CHECK ((due IS NULL) = (blocked IS NOT NULL OR (tail <= acked AND again = 0))),
  CONSTRAINT lanes_leased CHECK ((lease IS NULL) = (lease_until IS NULL)),
  CONSTRAINT lanes_acked CHECK (acked <= tail AND (blocked IS NULL OR blocked > acked))
);
INSERT INTO new_lanes (key, tenant, conversation, slot, receiver, tail, acked, due, attempts, lease, lease_until)
  SELECT key, tenant, conversation, slot, receiver, tail, acked, due, attempts, lease, lease_until FROM lanes;
DROP TABLE lanes;
ALTER TABLE new_lanes RENAME TO lanes;
CREATE INDEX lanes_due ON lanes (due) WHERE due IS NOT NULL;
CREATE INDEX lanes_owing ON lanes (receiver, due) WHERE due IS NOT NULL;
CREATE INDEX lanes_blocked ON lanes (receiver) WHERE blocked IS NOT NULL;

-- delivery: the id that the receiver saw.
CREATE TABLE new_exceptions (
  lane     INTEGER NOT NULL,
  seq      INTEGER NOT NULL,
  tenant   INTEGER NOT NULL,
  state    TEXT NOT NULL CONSTRAINT exceptions_state CHECK (state IN ('dead', 'again', 'replayed', 'skipped')),
  reason   TEXT NOT NULL,
  at       INTEGER NOT NULL,
  told     INTEGER NOT NULL DEFAULT 1,
  delivery BLOB,
  PRIMARY KEY (lane, seq)
) WITHOUT ROWID;
INSERT INTO new_exceptions (lane, seq, tenant, state, reason, at, told) SELECT lane, seq, tenant, state, reason, at, told FROM exceptions;
DROP TABLE exceptions;
ALTER TABLE new_exceptions RENAME TO exceptions;
CREATE INDEX exceptions_untold ON exceptions (at) WHERE told = 0;
CREATE UNIQUE INDEX exceptions_delivery ON exceptions (delivery) WHERE delivery IS NOT NULL;
CREATE INDEX exceptions_list ON exceptions (tenant, at, lane, seq);

-- What administrators did.
CREATE TABLE audit (
  key     INTEGER PRIMARY KEY,
  tenant  INTEGER NOT NULL REFERENCES tenants (key),
  at      INTEGER NOT NULL,
  actor   TEXT NOT NULL, -- id of the API client
  action  TEXT NOT NULL,
  subject TEXT NOT NULL,
  detail  TEXT NOT NULL
);
CREATE INDEX audit_list ON audit (tenant, at, key);
