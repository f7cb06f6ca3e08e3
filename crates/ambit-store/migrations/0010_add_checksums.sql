-- Checksums of rows: what a fault altered is noticed (src/checksum.rs). A row without one is not checked.

-- Whoever changes the registry takes this row first: nobody is changing anything while the tables are.
UPDATE registry SET revision = revision;

ALTER TABLE partners ADD COLUMN checksum BLOB;
ALTER TABLE tenants ADD COLUMN checksum BLOB;
ALTER TABLE units ADD COLUMN checksum BLOB;
ALTER TABLE features ADD COLUMN checksum BLOB;
ALTER TABLE tenant_features ADD COLUMN checksum BLOB;
ALTER TABLE unit_features ADD COLUMN checksum BLOB;
ALTER TABLE apis ADD COLUMN checksum BLOB;
ALTER TABLE scopes ADD COLUMN checksum BLOB;
ALTER TABLE applications ADD COLUMN checksum BLOB;
ALTER TABLE secrets ADD COLUMN checksum BLOB;
ALTER TABLE administrators ADD COLUMN checksum BLOB;
ALTER TABLE keys ADD COLUMN checksum BLOB;
ALTER TABLE users ADD COLUMN checksum BLOB;
ALTER TABLE groups ADD COLUMN checksum BLOB;
ALTER TABLE memberships ADD COLUMN checksum BLOB;
ALTER TABLE credentials ADD COLUMN checksum BLOB;
ALTER TABLE changes ADD COLUMN checksum BLOB;

-- What people do is over in a while, and gets checksums as it comes.
ALTER TABLE interactions ADD COLUMN checksum BLOB;
ALTER TABLE sessions ADD COLUMN checksum BLOB;
ALTER TABLE codes ADD COLUMN checksum BLOB;
ALTER TABLE grants ADD COLUMN checksum BLOB;
ALTER TABLE refresh_tokens ADD COLUMN checksum BLOB;
ALTER TABLE consents ADD COLUMN checksum BLOB;
ALTER TABLE one_time_tokens ADD COLUMN checksum BLOB;

-- The tables with rows of before. They get theirs after this step, a few at a time (src/fill.rs), and each table is struck off.
CREATE TABLE checksums_to_fill (name TEXT PRIMARY KEY);
INSERT INTO checksums_to_fill (name) SELECT 'partners' WHERE EXISTS (SELECT 1 FROM partners);
INSERT INTO checksums_to_fill (name) SELECT 'tenants' WHERE EXISTS (SELECT 1 FROM tenants);
INSERT INTO checksums_to_fill (name) SELECT 'units' WHERE EXISTS (SELECT 1 FROM units);
INSERT INTO checksums_to_fill (name) SELECT 'features' WHERE EXISTS (SELECT 1 FROM features);
INSERT INTO checksums_to_fill (name) SELECT 'tenant_features' WHERE EXISTS (SELECT 1 FROM tenant_features);
INSERT INTO checksums_to_fill (name) SELECT 'unit_features' WHERE EXISTS (SELECT 1 FROM unit_features);
INSERT INTO checksums_to_fill (name) SELECT 'apis' WHERE EXISTS (SELECT 1 FROM apis);
INSERT INTO checksums_to_fill (name) SELECT 'scopes' WHERE EXISTS (SELECT 1 FROM scopes);
INSERT INTO checksums_to_fill (name) SELECT 'applications' WHERE EXISTS (SELECT 1 FROM applications);
INSERT INTO checksums_to_fill (name) SELECT 'secrets' WHERE EXISTS (SELECT 1 FROM secrets);
INSERT INTO checksums_to_fill (name) SELECT 'administrators' WHERE EXISTS (SELECT 1 FROM administrators);
INSERT INTO checksums_to_fill (name) SELECT 'keys' WHERE EXISTS (SELECT 1 FROM keys);
INSERT INTO checksums_to_fill (name) SELECT 'users' WHERE EXISTS (SELECT 1 FROM users);
INSERT INTO checksums_to_fill (name) SELECT 'groups' WHERE EXISTS (SELECT 1 FROM groups);
INSERT INTO checksums_to_fill (name) SELECT 'memberships' WHERE EXISTS (SELECT 1 FROM memberships);
INSERT INTO checksums_to_fill (name) SELECT 'credentials' WHERE EXISTS (SELECT 1 FROM credentials);
INSERT INTO checksums_to_fill (name) SELECT 'changes' WHERE EXISTS (SELECT 1 FROM changes);
