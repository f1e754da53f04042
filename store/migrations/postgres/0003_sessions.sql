-- +goose Up
-- How far the parties of a conversation have read it.
CREATE TABLE receipts (
  conversation BIGINT NOT NULL,
  slot         BIGINT NOT NULL,
  tenant       BIGINT NOT NULL,
  seq          BIGINT NOT NULL,
  at           BIGINT NOT NULL,
  PRIMARY KEY (conversation, slot)
);

-- Who waits in which queue, in the order in which they get their turn.
CREATE INDEX conversations_queue ON conversations (tenant, owner_app, key) WHERE owner_kind = 'queue';

-- 1: the receiver takes its messages over a session; its lanes are claimed by that, never by a callback's worker.
ALTER TABLE receivers ADD COLUMN pulled BIGINT NOT NULL DEFAULT 0;
DROP INDEX lanes_receiver;
CREATE INDEX lanes_owing ON lanes (receiver, due) WHERE due IS NOT NULL;
