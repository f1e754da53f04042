-- +goose Up
-- How far the parties of a conversation have read it.
CREATE TABLE receipts (
  conversation INTEGER NOT NULL,
  slot         INTEGER NOT NULL,
  tenant       INTEGER NOT NULL,
  seq          INTEGER NOT NULL,
  at           INTEGER NOT NULL,
  PRIMARY KEY (conversation, slot)
) WITHOUT ROWID;

-- Who waits in which queue, in the order in which they get their turn.
CREATE INDEX conversations_queue ON conversations (tenant, owner_app, key) WHERE owner_kind = 'queue';

-- 1: the receiver takes its messages over a session; its lanes are claimed by that, never by a callback's worker.
ALTER TABLE receivers ADD COLUMN pulled INTEGER NOT NULL DEFAULT 0;
DROP INDEX lanes_receiver;
CREATE INDEX lanes_owing ON lanes (receiver, due) WHERE due IS NOT NULL;
