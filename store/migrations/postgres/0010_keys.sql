-- +goose Up
-- Keys of the compatible surfaces are clients of a kind, which may end by themselves; '' = an OAuth2 client.
ALTER TABLE clients ADD COLUMN kind TEXT NOT NULL DEFAULT '';
ALTER TABLE clients ADD COLUMN expires BIGINT;
