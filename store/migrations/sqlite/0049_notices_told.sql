-- +goose Up
-- The ways in which people were told of it, each with a blank behind it, while others are to come.
ALTER TABLE owed_notices ADD COLUMN told TEXT NOT NULL DEFAULT '';
