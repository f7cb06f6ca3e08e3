-- The issuance journal: issued tokens in packed blocks, refusals one by one, and when secrets were last used.

-- `id` is a digest of the block, so that writing it twice keeps it once. `span` is last_at − first_at: the widest one tells
-- how far back a look for one moment has to begin.
CREATE TABLE journal_blocks (
    id BLOB PRIMARY KEY,
    first_at BIGINT NOT NULL,
    last_at BIGINT NOT NULL,
    span BIGINT NOT NULL,
    count BIGINT NOT NULL,
    issuances TEXT NOT NULL,
    entries BLOB NOT NULL
);
CREATE INDEX journal_blocks_by_start ON journal_blocks (first_at, last_at);
CREATE INDEX journal_blocks_by_end ON journal_blocks (last_at);
CREATE INDEX journal_blocks_by_span ON journal_blocks (span);

CREATE TABLE refusals (
    id BLOB PRIMARY KEY,
    at BIGINT NOT NULL,
    trace_id TEXT NOT NULL,
    client_id TEXT,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL,
    revision BIGINT NOT NULL
);
CREATE INDEX refusals_by_trace ON refusals (trace_id, at);
CREATE INDEX refusals_by_time ON refusals (at);

-- Beside the secrets, not in them: using a secret is no change of the registry and takes no revision.
CREATE TABLE secret_uses (
    secret_id TEXT PRIMARY KEY,
    at BIGINT NOT NULL
);
