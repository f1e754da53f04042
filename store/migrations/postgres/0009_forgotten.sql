-- +goose Up
-- Conversations that were deleted on the manage surface: their rows stay, since the hub needs them, but nothing is known about
-- them any more, and nothing is looked for in them.
CREATE TABLE forgotten (
  conversation BIGINT PRIMARY KEY,
  at           BIGINT NOT NULL
);
