-- Restores from a backup: what was revoked between the two moments is not known any more.
CREATE TABLE restores (
    revision BIGINT PRIMARY KEY,
    backup_at BIGINT NOT NULL,
    restored_at BIGINT NOT NULL
);
