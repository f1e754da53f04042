-- +goose Up
-- Which jobs have something to do, and from when on: a webhook that is told again in half an hour does not stand before what can
-- go on now. NULL = nothing is to be done.
ALTER TABLE jobs ADD COLUMN due BIGINT;
UPDATE jobs SET due = created WHERE todo > 0;
DROP INDEX jobs_todo;
DROP INDEX jobs_tenant;
ALTER TABLE jobs DROP COLUMN todo;
CREATE INDEX jobs_due ON jobs (due) WHERE due IS NOT NULL;
CREATE INDEX jobs_tenant ON jobs (tenant, kind, created, id);
