-- +goose Up
-- Where an environment hears of receivers that fail, and what signs that: JSON, sealed, for such a URL may hold a secret, too.
-- NULL = nowhere.
ALTER TABLE tenants ADD COLUMN operations BYTEA;
