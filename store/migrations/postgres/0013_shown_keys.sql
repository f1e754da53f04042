-- +goose Up
-- The secret of a key whose own surface shows it again, sealed; NULL = it is nowhere.
ALTER TABLE clients ADD COLUMN shown BYTEA;
