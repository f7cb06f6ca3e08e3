-- One row. Whoever revokes takes it first, so revocations become visible in the order of their numbers.
CREATE TABLE revocation_counter (
    id BIGINT PRIMARY KEY,
    sequence BIGINT NOT NULL
);
INSERT INTO revocation_counter (id, sequence) VALUES (1, 0);

CREATE TABLE revocations (
    sequence BIGINT PRIMARY KEY,
    jti TEXT NOT NULL UNIQUE,
    client_id TEXT NOT NULL,
    revoked_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL
);
CREATE INDEX revocations_by_expiry ON revocations (expires_at);

-- Assertions that were used, each by a digest of its client and its `jti`: of one size, whatever a client sends.
CREATE TABLE assertions (
    digest BLOB PRIMARY KEY,
    expires_at BIGINT NOT NULL
);
CREATE INDEX assertions_by_expiry ON assertions (expires_at);

-- Answers kept for their `Idempotency-Key`.
CREATE TABLE saved_answers (
    actor TEXT NOT NULL,
    answer_key TEXT NOT NULL,
    request_hash BLOB NOT NULL,
    status BIGINT NOT NULL,
    sealed BLOB NOT NULL,
    expires_at BIGINT NOT NULL,
    PRIMARY KEY (actor, answer_key)
);
CREATE INDEX saved_answers_by_expiry ON saved_answers (expires_at);
