-- +goose Up
-- The six kinds of configuration objects. What queries look at has columns, the rest is the body.
CREATE TABLE objects (
  key         INTEGER PRIMARY KEY,
  tenant      INTEGER NOT NULL REFERENCES tenants (key),
  kind        TEXT NOT NULL,    -- parley.ObjectKind
  id          BLOB NOT NULL,    -- built-in objects have the same id in every tenant
  unique_name TEXT,             -- name, or a channel's type; NULL where the name need not be unique
  address     TEXT,             -- accounts only
  active      INTEGER NOT NULL,
  built_in    INTEGER NOT NULL DEFAULT 0,
  created     INTEGER NOT NULL,
  modified    INTEGER NOT NULL,
  body        BLOB NOT NULL,    -- JSON, sealed for kinds that hold secrets
  UNIQUE (tenant, kind, id),
  UNIQUE (tenant, kind, unique_name)
);
CREATE INDEX objects_list ON objects (tenant, kind, created, id);
CREATE INDEX objects_address ON objects (tenant, address) WHERE address IS NOT NULL;

-- Who refers to whom: what is referred to cannot be deleted.
CREATE TABLE object_references (
  holder INTEGER NOT NULL REFERENCES objects (key) ON DELETE CASCADE,
  target INTEGER NOT NULL REFERENCES objects (key),
  PRIMARY KEY (holder, target)
);
CREATE INDEX object_references_target ON object_references (target);

CREATE TABLE clients (
  id          BLOB PRIMARY KEY,
  public_id   TEXT NOT NULL UNIQUE,
  tenant      INTEGER NOT NULL REFERENCES tenants (key),
  name        TEXT NOT NULL,
  secret_hash BLOB NOT NULL, -- SHA-256
  scopes      TEXT NOT NULL, -- JSON
  application BLOB,          -- NULL: unbound
  roles       TEXT NOT NULL, -- JSON
  revoked     INTEGER,
  created     INTEGER NOT NULL,
  modified    INTEGER NOT NULL
);
CREATE INDEX clients_list ON clients (tenant, created, id);

CREATE TABLE signing_keys (
  id      TEXT PRIMARY KEY,
  private BLOB NOT NULL, -- sealed
  created INTEGER NOT NULL
);

CREATE TABLE assets (
  id           BLOB PRIMARY KEY,
  tenant       INTEGER NOT NULL REFERENCES tenants (key),
  channel_type TEXT NOT NULL,
  sender       TEXT NOT NULL,
  name         TEXT NOT NULL,
  size         INTEGER NOT NULL,
  content_type TEXT NOT NULL,
  uploaded     INTEGER NOT NULL DEFAULT 0,
  used         INTEGER NOT NULL DEFAULT 0,
  created      INTEGER NOT NULL
);
CREATE INDEX assets_unused ON assets (created) WHERE used = 0;
