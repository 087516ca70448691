ALTER TABLE users DROP CONSTRAINT country_known;
