-- Two ways to let PostgreSQL refuse the late write of a former lock holder. guard.ts has the writes.

-- 1. A fence column: the token of the last write, beside what it wrote. One statement, no transaction,
--    no row that all writers queue for. It guards each row by itself: a former holder is refused where
--    the new one has written already, and nowhere else. For rows that do not depend on each other and
--    are not deleted (a deleted row has forgotten its token; mark it as deleted instead).
CREATE TABLE IF NOT EXISTS report (
  id text PRIMARY KEY,
  body text NOT NULL,
  fence bigint NOT NULL
);

-- 2. A fence table: one row per lock with the greatest token that has written under it. From the first
--    transaction of the new holder on, the former one is refused everywhere: other rows, other tables,
--    inserts and deletes. For rows that belong together. The price: transactions under one lock queue
--    for its row, which a holder of the lock seldom minds.
CREATE TABLE IF NOT EXISTS fence (
  lock text PRIMARY KEY,
  token bigint NOT NULL
);

CREATE TABLE IF NOT EXISTS balance (
  account text PRIMARY KEY,
  amount bigint NOT NULL
);
