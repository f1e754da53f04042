-- +goose Up
-- The last message of the conversation when the turn was over: what was said later counts after it, whatever clocks say. NULL while it
-- is open, and of turns that were over before this.
ALTER TABLE turns ADD COLUMN closed_seq BIGINT;
