-- People: users, groups, who is in which, and by what they prove who they are. Of the shape of all that is registered.

CREATE TABLE users (
    id TEXT PRIMARY KEY,
    natural_key TEXT UNIQUE,
    parent TEXT,
    tenant_id TEXT,
    partner_id TEXT,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    sealed BLOB
);
CREATE INDEX users_by_parent ON users (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX users_by_tenant ON users (tenant_id, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX users_by_partner ON users (partner_id, id) WHERE partner_id IS NOT NULL;

CREATE TABLE groups (
    id TEXT PRIMARY KEY,
    natural_key TEXT UNIQUE,
    parent TEXT,
    tenant_id TEXT,
    partner_id TEXT,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    sealed BLOB
);
CREATE INDEX groups_by_parent ON groups (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX groups_by_tenant ON groups (tenant_id, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX groups_by_partner ON groups (partner_id, id) WHERE partner_id IS NOT NULL;

CREATE TABLE memberships (
    id TEXT PRIMARY KEY,
    natural_key TEXT UNIQUE,
    parent TEXT,
    tenant_id TEXT,
    partner_id TEXT,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    sealed BLOB
);
CREATE INDEX memberships_by_parent ON memberships (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX memberships_by_tenant ON memberships (tenant_id, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX memberships_by_partner ON memberships (partner_id, id) WHERE partner_id IS NOT NULL;

CREATE TABLE credentials (
    id TEXT PRIMARY KEY,
    natural_key TEXT UNIQUE,
    parent TEXT,
    tenant_id TEXT,
    partner_id TEXT,
    revision BIGINT NOT NULL,
    document TEXT NOT NULL,
    sealed BLOB
);
CREATE INDEX credentials_by_parent ON credentials (parent, id) WHERE parent IS NOT NULL;
CREATE INDEX credentials_by_tenant ON credentials (tenant_id, id) WHERE tenant_id IS NOT NULL;
CREATE INDEX credentials_by_partner ON credentials (partner_id, id) WHERE partner_id IS NOT NULL;
