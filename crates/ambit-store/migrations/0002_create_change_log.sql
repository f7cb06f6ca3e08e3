-- The change log: the audit trail, what other nodes read to learn what to forget, and what explain replays.
CREATE TABLE changes (
    revision BIGINT NOT NULL,
    position BIGINT NOT NULL,
    at BIGINT NOT NULL,
    actor TEXT NOT NULL,
    action TEXT NOT NULL,
    resource TEXT NOT NULL,
    resource_id TEXT NOT NULL,
    natural_key TEXT,
    parent TEXT,
    tenant_id TEXT,
    partner_id TEXT,
    trace_id TEXT,
    before TEXT,
    after TEXT,
    PRIMARY KEY (revision, position)
);
CREATE INDEX changes_by_resource ON changes (resource, resource_id, revision, position);
CREATE INDEX changes_by_actor ON changes (actor, revision, position);
CREATE INDEX changes_by_tenant ON changes (tenant_id, revision, position) WHERE tenant_id IS NOT NULL;
CREATE INDEX changes_by_partner ON changes (partner_id, revision, position) WHERE partner_id IS NOT NULL;
CREATE INDEX changes_by_time ON changes (at);
