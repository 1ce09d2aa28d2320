-- The warehouse's ledger. It is only ever appended to, a few thousand rows an hour when a
-- delivery is booked; an index on sku made those imports four times as slow.
CREATE TABLE movements (
  id        INTEGER PRIMARY KEY,
  sku       TEXT    NOT NULL,
  warehouse TEXT    NOT NULL,
  booked    INTEGER NOT NULL, -- hours since the ledger began
  quantity  INTEGER NOT NULL  -- negative when goods leave
);

CREATE TABLE products (
  sku   TEXT PRIMARY KEY,
  name  TEXT    NOT NULL,
  price INTEGER NOT NULL -- list price in cents
);
