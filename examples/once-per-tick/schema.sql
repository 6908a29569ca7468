CREATE TABLE IF NOT EXISTS tick (
  job text PRIMARY KEY,
  fence bigint NOT NULL,
  started bigint NOT NULL,
  finished bigint NOT NULL
);
