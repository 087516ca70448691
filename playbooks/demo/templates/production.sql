-- Ten years of customers, as a production has them: the older ones never said where they live.
CREATE TABLE customers (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, email text NOT NULL UNIQUE, name text,
                        phone text, born date, country text, created_at timestamptz NOT NULL);
INSERT INTO customers (email, name, phone, born, country, created_at)
SELECT 'customer' || i || '@corp.example', 'Name ' || i % 900, '+49 170 ' || 1000000 + i, date '1950-01-01' + i % 20000,
       CASE WHEN i % 5 > 0 THEN 'DE' END, timestamptz '2016-01-01' + i * interval '2 hours'
FROM generate_series(1, 40000) i;
CREATE TABLE charges (id bigserial PRIMARY KEY, customer_id bigint NOT NULL REFERENCES customers, cents int NOT NULL,
                      card text, created_at timestamptz NOT NULL);
INSERT INTO charges (customer_id, cents, card, created_at)
SELECT 1 + i % 40000, 100 + i % 9000, '4000 0000 0000 ' || 1000 + i % 9000, timestamptz '2020-01-01' + i * interval '20 minutes'
FROM generate_series(1, 120000) i;
CREATE INDEX ON charges (customer_id, created_at);
CREATE TABLE webhooks (id int PRIMARY KEY, url text NOT NULL, secret text);
INSERT INTO webhooks VALUES (1, 'https://partner.example/paid', 'whsec_4711');
CREATE TABLE jobs (id bigserial PRIMARY KEY, what text NOT NULL);
INSERT INTO jobs (what) SELECT 'charge customer ' || i FROM generate_series(1, 50) i;
ANALYZE;
