-- +goose Up
-- Until when the receiver of a lane asked to be left alone (Retry-After). What waits by our own schedule may be sent sooner once the receiver works again; this may not.
ALTER TABLE lanes ADD COLUMN asked BIGINT;
