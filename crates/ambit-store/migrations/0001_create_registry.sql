-- What is registered: a table per noun, all of one shape. `document` is the thing as the admin API shows it; the columns
-- beside it are what it is looked up by. `sealed` is never shown: a secret's hash, a private key's ciphertext.

-- One row. Whoever changes the registry takes it first, so all changes stand in one line.
CREATE TABLE registry (
    id BIGINT PRIMARY KEY,
    revision BIGINT NOT NULL
);
INSERT INTO registry (id, revision) VALUES (1, 0);

CREATE TABLE partners (
    id TEXT PRIMARY KEY,
    natural_key TEXT UNIQUE,
    parent TEXT,
    tenant_id TEXT,
    partner_id TEXT,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    sealed BLOB
);

CREATE TABLE tenants (
    id TEXT PRIMARY KEY,
    natural_key TEXT UNIQUE,
    parent TEXT,
    tenant_id TEXT,
    partner_id TEXT,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    sealed BLOB
);
CREATE INDEX tenants_by_parent ON tenants (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX tenants_by_tenant ON tenants (tenant_id, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX tenants_by_partner ON tenants (partner_id, id) WHERE partner_id IS NOT NULL;

CREATE TABLE units (
    id TEXT PRIMARY KEY,
    natural_key TEXT UNIQUE,
    parent TEXT,
    tenant_id TEXT,
    partner_id TEXT,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    sealed BLOB
);
CREATE INDEX units_by_parent ON units (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX units_by_tenant ON units (tenant_id, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX units_by_partner ON units (partner_id, id) WHERE partner_id IS NOT NULL;

CREATE TABLE features (
    id TEXT PRIMARY KEY,
    natural_key TEXT UNIQUE,
    parent TEXT,
    tenant_id TEXT,
    partner_id TEXT,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    sealed BLOB
);

CREATE TABLE tenant_features (
    id TEXT PRIMARY KEY,
    natural_key TEXT UNIQUE,
    parent TEXT,
    tenant_id TEXT,
    partner_id TEXT,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    sealed BLOB
);
CREATE INDEX tenant_features_by_parent ON tenant_features (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX tenant_features_by_tenant ON tenant_features (tenant_id, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX tenant_features_by_partner ON tenant_features (partner_id, id) WHERE partner_id IS NOT NULL;

CREATE TABLE unit_features (
    id TEXT PRIMARY KEY,
    natural_key TEXT UNIQUE,
    parent TEXT,
    tenant_id TEXT,
    partner_id TEXT,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    sealed BLOB
);
CREATE INDEX unit_features_by_parent ON unit_features (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX unit_features_by_tenant ON unit_features (tenant_id, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX unit_features_by_partner ON unit_features (partner_id, id) WHERE partner_id IS NOT NULL;

CREATE TABLE apis (
    id TEXT PRIMARY KEY,
    natural_key TEXT UNIQUE,
    parent TEXT,
    tenant_id TEXT,
    partner_id TEXT,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    sealed BLOB
);
CREATE INDEX apis_by_tenant ON apis (tenant_id, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX apis_by_partner ON apis (partner_id, id) WHERE partner_id IS NOT NULL;

CREATE TABLE scopes (
    id TEXT PRIMARY KEY,
    natural_key TEXT UNIQUE,
    parent TEXT,
    tenant_id TEXT,
    partner_id TEXT,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    sealed BLOB
);
CREATE INDEX scopes_by_parent ON scopes (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX scopes_by_tenant ON scopes (tenant_id, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX scopes_by_partner ON scopes (partner_id, id) WHERE partner_id IS NOT NULL;

CREATE TABLE applications (
    id TEXT PRIMARY KEY,
    natural_key TEXT UNIQUE,
    parent TEXT,
    tenant_id TEXT,
    partner_id TEXT,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    sealed BLOB
);
CREATE INDEX applications_by_tenant ON applications (tenant_id, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX applications_by_partner ON applications (partner_id, id) WHERE partner_id IS NOT NULL;

CREATE TABLE secrets (
    id TEXT PRIMARY KEY,
    natural_key TEXT UNIQUE,
    parent TEXT,
    tenant_id TEXT,
    partner_id TEXT,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    sealed BLOB
);
CREATE INDEX secrets_by_parent ON secrets (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX secrets_by_tenant ON secrets (tenant_id, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX secrets_by_partner ON secrets (partner_id, id) WHERE partner_id IS NOT NULL;

CREATE TABLE administrators (
    id TEXT PRIMARY KEY,
    natural_key TEXT UNIQUE,
    parent TEXT,
    tenant_id TEXT,
    partner_id TEXT,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    sealed BLOB
);
CREATE INDEX administrators_by_parent ON administrators (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX administrators_by_tenant ON administrators (tenant_id, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX administrators_by_partner ON administrators (partner_id, id) WHERE partner_id IS NOT NULL;

CREATE TABLE keys (
    id TEXT PRIMARY KEY,
    natural_key TEXT UNIQUE,
    parent TEXT,
    tenant_id TEXT,
    partner_id TEXT,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    sealed BLOB
);
