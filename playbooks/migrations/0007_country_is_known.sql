-- staithe: no-transaction
-- staithe: lock-timeout 500ms
-- Users without a country were filled by 'staithe backfill' before; see staithe-stage(1).
ALTER TABLE users ADD CONSTRAINT country_known CHECK (country IS NOT NULL) NOT VALID;
ALTER TABLE users VALIDATE CONSTRAINT country_known;
