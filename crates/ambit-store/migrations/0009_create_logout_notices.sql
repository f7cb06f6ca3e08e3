-- Who is told when a session ends (OpenID Connect Back-Channel Logout 1.0): the applications that its person was signed in to.
CREATE TABLE session_applications (
    session_id TEXT NOT NULL,
    application_id TEXT NOT NULL,
    PRIMARY KEY (session_id, application_id)
);

-- What is still to be told. A notice that somebody is delivering is due again later, should that node not come to the end of it.
CREATE TABLE logout_notices (
    session_id TEXT NOT NULL,
    application_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    ended_at BIGINT NOT NULL,
    due_at BIGINT NOT NULL,
    attempts BIGINT NOT NULL,
    PRIMARY KEY (session_id, application_id)
);
CREATE INDEX logout_notices_by_time ON logout_notices (due_at);
