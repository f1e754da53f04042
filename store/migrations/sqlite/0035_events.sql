-- +goose Up
-- What programs outside tell of. customer and conversation are empty where they are not known; called is what the sender calls the
-- conversation.
CREATE TABLE tracked_events (
  key          INTEGER PRIMARY KEY,
  tenant       BIGINT NOT NULL,
  bot          BLOB NOT NULL,
  id           TEXT NOT NULL,
  version      TEXT NOT NULL,
  name         TEXT NOT NULL,
  customer     TEXT NOT NULL,
  conversation BLOB NOT NULL,
  called       TEXT NOT NULL,
  campaign     TEXT NOT NULL, -- its id
  at           BIGINT NOT NULL,
  received     BIGINT NOT NULL,
  body         TEXT NOT NULL, -- JSON: attributes, campaign
  UNIQUE (tenant, bot, id)
);
-- A list is of a team or a bot, and mostly of one of its names, users, conversations or campaigns; a funnel is of a time.
CREATE INDEX tracked_events_team ON tracked_events (tenant, key);
CREATE INDEX tracked_events_bot ON tracked_events (tenant, bot, key);
CREATE INDEX tracked_events_name ON tracked_events (tenant, bot, name, key);
CREATE INDEX tracked_events_customer ON tracked_events (tenant, customer, key);
CREATE INDEX tracked_events_conversation ON tracked_events (tenant, conversation, key);
CREATE INDEX tracked_events_campaign ON tracked_events (tenant, campaign, key);
CREATE INDEX tracked_events_at ON tracked_events (tenant, bot, at);

-- Which values an attribute has; folded is in lower case.
CREATE TABLE event_attributes (
  event  BIGINT NOT NULL,
  name   TEXT NOT NULL,
  tenant BIGINT NOT NULL,
  bot    BLOB NOT NULL,
  value  TEXT NOT NULL,
  folded TEXT NOT NULL,
  PRIMARY KEY (event, name)
);
CREATE INDEX event_attributes_name ON event_attributes (tenant, bot, name);

-- Every name that a bot's events have, or were said to have.
CREATE TABLE event_definitions (
  tenant   BIGINT NOT NULL,
  bot      BLOB NOT NULL,
  name     TEXT NOT NULL,
  defined  BIGINT NOT NULL, -- 0: it was only seen
  created  BIGINT NOT NULL,
  modified BIGINT NOT NULL,
  body     TEXT NOT NULL,   -- JSON
  PRIMARY KEY (tenant, name, bot)
);
CREATE INDEX event_definitions_bot ON event_definitions (tenant, bot, name);

CREATE TABLE subscriptions (
  key     INTEGER PRIMARY KEY AUTOINCREMENT,
  id      BLOB NOT NULL UNIQUE,
  tenant  BIGINT NOT NULL,
  bot     BLOB NOT NULL,
  version TEXT NOT NULL,
  type    TEXT NOT NULL,
  names   TEXT NOT NULL, -- JSON
  sealed  BLOB NOT NULL, -- target and secret
  status  TEXT NOT NULL,
  created BIGINT NOT NULL,
  changed BIGINT NOT NULL,
  failed  BIGINT NOT NULL,
  due     BIGINT NOT NULL
);
CREATE INDEX subscriptions_bot ON subscriptions (tenant, bot);
CREATE INDEX subscriptions_status ON subscriptions (status, due);
-- What subscriptions are owed, by references: what is forgotten meanwhile is not told. Keys are never used again.
CREATE TABLE notifications (
  key          INTEGER PRIMARY KEY AUTOINCREMENT,
  subscription BIGINT NOT NULL,
  id           BLOB NOT NULL,
  made         BIGINT NOT NULL,
  about        TEXT NOT NULL -- JSON
);
CREATE INDEX notifications_subscription ON notifications (subscription, key);
