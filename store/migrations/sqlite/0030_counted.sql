-- +goose Up
-- What the metrics count is counted from these alone. Most messages change none of their columns.
CREATE INDEX conversations_open ON conversations (owner_kind) WHERE status = 'open';
CREATE INDEX exceptions_dead ON exceptions (lane) WHERE state = 'dead';
