-- +goose Up
-- What conversations add up to (package insight/figures). Everything can be made anew from the record; generation tells what is being
-- made from what answers.
CREATE TABLE figure_progress (
  one      INTEGER PRIMARY KEY CHECK (one = 1),
  version  BIGINT NOT NULL, -- grows with every change
  progress TEXT NOT NULL    -- JSON
);
INSERT INTO figure_progress (one, version, progress) VALUES (1, 0, '{}');
CREATE TABLE figure_settings (
  tenant   BIGINT PRIMARY KEY REFERENCES tenants (key),
  settings TEXT NOT NULL -- JSON
);
-- Conversations of which something changed that is no message.
CREATE TABLE figure_changes (
  key          INTEGER PRIMARY KEY,
  conversation BIGINT NOT NULL,
  whole        BIGINT NOT NULL -- 1: it is counted anew from its beginning
);

CREATE TABLE visit_dimensions (
  key        INTEGER PRIMARY KEY,
  generation BIGINT NOT NULL,
  tenant     BIGINT NOT NULL,
  bot        BLOB NOT NULL, -- empty = none
  version    TEXT NOT NULL,
  channel    TEXT NOT NULL,
  language   TEXT NOT NULL,
  campaign   TEXT NOT NULL,
  source     TEXT NOT NULL,
  owner      TEXT NOT NULL,
  series     BIGINT NOT NULL DEFAULT 0, -- key of the first dimensions of the same bot
  UNIQUE (generation, tenant, bot, version, channel, language, campaign, source, owner)
);
-- hour and cell say where a visit is counted.
CREATE TABLE visits (
  key          INTEGER PRIMARY KEY,
  generation   BIGINT NOT NULL,
  conversation BIGINT NOT NULL,
  part         BIGINT NOT NULL,
  dimension    BIGINT NOT NULL,
  hour         BIGINT NOT NULL,
  cell         BIGINT NOT NULL,
  first_seq    BIGINT NOT NULL,
  last_seq     BIGINT NOT NULL,
  started      BIGINT NOT NULL,
  last         BIGINT NOT NULL,
  closes       BIGINT,          -- when the thread's next part begins
  person       BIGINT NOT NULL, -- 0 = nobody knows
  facts        TEXT NOT NULL,   -- JSON
  UNIQUE (conversation, generation, part)
);
CREATE INDEX visits_cell ON visits (dimension, hour, cell);
CREATE INDEX visits_person ON visits (generation, person, started) WHERE person <> 0;
CREATE INDEX visits_closes ON visits (generation, closes) WHERE closes IS NOT NULL;
-- Narrow, since the published operations add up years of them; the rest is beside them.
CREATE TABLE visit_hours (
  dimension    BIGINT NOT NULL,
  start        BIGINT NOT NULL,
  part         BIGINT NOT NULL,
  visits       BIGINT NOT NULL,
  messages     BIGINT NOT NULL,
  messages_min BIGINT NOT NULL,
  messages_max BIGINT NOT NULL,
  seconds      BIGINT NOT NULL,
  seconds_min  BIGINT NOT NULL,
  seconds_max  BIGINT NOT NULL,
  said_user    BIGINT NOT NULL,
  said_bot     BIGINT NOT NULL,
  said_agent   BIGINT NOT NULL,
  PRIMARY KEY (dimension, start, part)
) WITHOUT ROWID;
CREATE TABLE visit_hour_totals (
  dimension BIGINT NOT NULL,
  start     BIGINT NOT NULL,
  part      BIGINT NOT NULL,
  totals    BLOB NOT NULL,
  PRIMARY KEY (dimension, start, part)
);
-- A row has the counts of all dimensions of one bot: years of days are read for one answer.
CREATE TABLE visit_days (
  series BIGINT NOT NULL, -- see visit_dimensions
  start  BIGINT NOT NULL,
  counts BLOB NOT NULL,   -- of each dimension: see store/figures_days.go
  PRIMARY KEY (series, start)
);
CREATE TABLE visit_day_totals (
  dimension BIGINT NOT NULL,
  start     BIGINT NOT NULL,
  part      BIGINT NOT NULL,
  totals    BLOB NOT NULL,
  PRIMARY KEY (dimension, start, part)
);
-- A bot may be asked for by somebody who has to hear that it is another tenant's.
CREATE INDEX objects_id ON objects (id);
