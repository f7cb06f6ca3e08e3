-- What people reported after they had followed an entry of the error knowledge base: counts, and nothing about who.
-- `workaround` is the advice that was followed, counted from 1, or 0 for none in particular.
CREATE TABLE outcomes (
    entry TEXT NOT NULL,
    workaround BIGINT NOT NULL,
    helped BIGINT NOT NULL,
    failed BIGINT NOT NULL,
    PRIMARY KEY (entry, workaround)
);
