-- Every customer has a country from now on.
-- staithe: lock-timeout 1s
ALTER TABLE customers ALTER COLUMN country SET NOT NULL;
