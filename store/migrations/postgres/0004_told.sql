-- +goose Up
-- Whether the hub heard that a delivery was given up: a crash between the two must not leave the customer waiting.
ALTER TABLE exceptions ADD COLUMN told BIGINT NOT NULL DEFAULT 1;
CREATE INDEX exceptions_untold ON exceptions (at) WHERE told = 0;
