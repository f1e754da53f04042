-- +goose Up
-- The last answer, or what else was said last before the turn was over: what was said later counts after it, whatever clocks say. NULL while it
-- is open, and of turns that were over before this.
ALTER TABLE turns ADD COLUMN closed_seq INTEGER;
