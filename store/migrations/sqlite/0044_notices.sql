-- +goose Up
-- When somebody was told last that the receiver is disabled; noticed is when of what was given up.
ALTER TABLE receivers ADD COLUMN noticed_disabled INTEGER;
