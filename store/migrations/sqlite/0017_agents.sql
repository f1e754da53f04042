-- +goose Up
-- What the agent-conversations surface knows: users of bots.
CREATE TABLE agent_users (
  key        INTEGER PRIMARY KEY,
  id         BLOB NOT NULL UNIQUE,
  tenant     BIGINT NOT NULL,
  bot        BLOB NOT NULL,   -- id of its application
  email      TEXT NOT NULL,   -- in lower case; '' = none, as with the next two
  phone      TEXT NOT NULL,
  foreign_id TEXT NOT NULL,
  search     TEXT NOT NULL,   -- what a keyword is looked for in, folded
  profile    TEXT NOT NULL,   -- JSON: the rest
  created    BIGINT NOT NULL,
  modified   BIGINT NOT NULL
);
CREATE INDEX agent_users_email ON agent_users (bot, email, key) WHERE email <> '';
CREATE INDEX agent_users_phone ON agent_users (bot, phone, key) WHERE phone <> '';
CREATE INDEX agent_users_foreign ON agent_users (bot, foreign_id, key) WHERE foreign_id <> '';
-- Their conversations, beside them.
CREATE TABLE agent_conversations (
  conversation BIGINT PRIMARY KEY REFERENCES conversations (key),
  tenant       BIGINT NOT NULL,
  bot          BLOB NOT NULL,
  agent_user   BIGINT NOT NULL REFERENCES agent_users (key),
  status       TEXT NOT NULL,
  channel      TEXT NOT NULL,
  search       TEXT NOT NULL,
  profile      TEXT NOT NULL,
  judged       BIGINT NOT NULL, -- seq up to which title, summary and score were made
  judge_at     BIGINT,          -- when they are to be made anew
  created      BIGINT NOT NULL,
  changed      BIGINT NOT NULL  -- by something but a message
);
CREATE INDEX agent_conversations_created ON agent_conversations (bot, created);
CREATE INDEX agent_conversations_user ON agent_conversations (agent_user);
CREATE INDEX agent_conversations_judge ON agent_conversations (judge_at) WHERE judge_at IS NOT NULL;
-- Labels of stages of the work.
CREATE TABLE agent_states (
  id          BLOB NOT NULL,
  tenant      BIGINT NOT NULL,
  place       BIGINT NOT NULL,  -- in the tenant's order
  name        TEXT NOT NULL,
  description TEXT NOT NULL,
  color       TEXT NOT NULL,
  persistent  BIGINT NOT NULL,
  created     BIGINT NOT NULL,
  modified    BIGINT NOT NULL,
  PRIMARY KEY (tenant, place)
) WITHOUT ROWID;
-- What users thought of messages.
CREATE TABLE agent_feedbacks (
  conversation BIGINT NOT NULL,
  seq          BIGINT NOT NULL,
  agent_user   BIGINT NOT NULL REFERENCES agent_users (key),
  id           BLOB NOT NULL,
  body         TEXT NOT NULL,
  created      BIGINT NOT NULL,
  modified     BIGINT NOT NULL,
  PRIMARY KEY (conversation, seq, agent_user)
) WITHOUT ROWID;
-- Which conversation a file was announced for.
CREATE TABLE agent_files (
  asset        BLOB PRIMARY KEY,
  conversation BIGINT NOT NULL
) WITHOUT ROWID;
