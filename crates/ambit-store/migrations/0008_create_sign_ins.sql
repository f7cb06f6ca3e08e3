-- What people do: sign in, consent, and what they lent of it. None of it is a change of the registry: it takes no revision, and
-- no node keeps it in memory. Whatever is shown once to somebody (a cookie, a code, a refresh token) is kept as its SHA-256.

-- A request of a browser that waits for its person: where they are in signing in and consenting. `version` grows with each
-- step, so of two that are sent at once one counts.
CREATE TABLE interactions (
    id BLOB PRIMARY KEY,
    browser BLOB NOT NULL,
    version BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX interactions_by_expiry ON interactions (expires_at);

CREATE TABLE sessions (
    id TEXT PRIMARY KEY,
    token BLOB NOT NULL UNIQUE,
    user_id TEXT NOT NULL,
    created_at BIGINT NOT NULL,
    seen_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    document TEXT NOT NULL
);
CREATE INDEX sessions_by_user ON sessions (user_id, id);
CREATE INDEX sessions_by_expiry ON sessions (expires_at);

CREATE TABLE codes (
    token BLOB PRIMARY KEY,
    grant_id TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    spent_at BIGINT,
    document TEXT NOT NULL
);
CREATE INDEX codes_by_expiry ON codes (expires_at);

CREATE TABLE grants (
    id TEXT PRIMARY KEY,
    application_id TEXT NOT NULL,
    client_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    session_id TEXT,
    created_at BIGINT NOT NULL,
    expires_at BIGINT NOT NULL,
    ended_at BIGINT,
    document TEXT NOT NULL
);
CREATE INDEX grants_by_user ON grants (user_id, application_id, id);
CREATE INDEX grants_by_session ON grants (session_id) WHERE session_id IS NOT NULL;
CREATE INDEX grants_by_application ON grants (application_id, id);
CREATE INDEX grants_by_expiry ON grants (expires_at);

CREATE TABLE refresh_tokens (
    token BLOB PRIMARY KEY,
    grant_id TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT
);
CREATE INDEX refresh_tokens_by_grant ON refresh_tokens (grant_id);
CREATE INDEX refresh_tokens_by_expiry ON refresh_tokens (expires_at);

CREATE TABLE consents (
    user_id TEXT NOT NULL,
    application_id TEXT NOT NULL,
    updated_at BIGINT NOT NULL,
    document TEXT NOT NULL,
    PRIMARY KEY (user_id, application_id)
);
CREATE INDEX consents_by_application ON consents (application_id);

-- What is sent to somebody to be used once: an invitation, the reset of a password, the proof of an address, the first set-up.
CREATE TABLE one_time_tokens (
    token BLOB PRIMARY KEY,
    purpose TEXT NOT NULL,
    subject TEXT NOT NULL,
    expires_at BIGINT NOT NULL,
    used_at BIGINT,
    document TEXT NOT NULL
);
CREATE INDEX one_time_tokens_by_subject ON one_time_tokens (subject);
-- One of them is good to one end about one subject: the last that was sent.
CREATE UNIQUE INDEX one_time_tokens_by_end ON one_time_tokens (subject, purpose) WHERE used_at IS NULL;
CREATE INDEX one_time_tokens_by_expiry ON one_time_tokens (expires_at);
