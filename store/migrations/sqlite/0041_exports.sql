-- +goose Up
-- Visits are exported in the order in which they changed (see parley.VisitPlace): changed is the generation times 2^40 plus the version of
-- the progress that they were written with. Those that are there count as changed when their generation began.
ALTER TABLE visits ADD COLUMN tenant BIGINT NOT NULL DEFAULT 0;
ALTER TABLE visits ADD COLUMN changed BIGINT NOT NULL DEFAULT 0;
UPDATE visits SET tenant = COALESCE((SELECT d.tenant FROM visit_dimensions AS d WHERE d.key = visits.dimension), 0), changed = generation * 1099511627776;
CREATE INDEX visits_changed ON visits (generation, tenant, changed, conversation, part);
-- What ids of visits are made with, so that nobody finds out keys of conversations by trying.
ALTER TABLE figure_progress ADD COLUMN salt BLOB NOT NULL DEFAULT x'';
UPDATE figure_progress SET salt = randomblob(32);
