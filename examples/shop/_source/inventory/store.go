package inventory

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"

	// The driver registers itself as "sqlite3".
	_ "github.com/mattn/go-sqlite3"
)

// Stock is what is known of one product.
type Stock struct {
	SKU       string `json:"sku"`
	Name      string `json:"name"`
	Available int64  `json:"available"`
	ListPrice int64  `json:"list_price"` // in cents
}

// Level is one line of the stock report.
type Level struct {
	SKU    string `json:"sku"`
	Now    int64  `json:"now"`
	Lowest int64  `json:"lowest"` // the lowest level since the ledger began
}

// ErrUnknown means that a product is not in the catalogue.
var ErrUnknown = errors.New("unknown product")

// Store is the inventory's database.
type Store struct {
	db      *sql.DB
	timeout time.Duration // of one query, the wait for a connection included
	probe   *probe
}

// Open opens the database in the file and bounds its pool of connections.
func Open(path string, s Settings) (*Store, error) {
	db, err := sql.Open("sqlite3", "file:"+path+"?_journal_mode=WAL&_busy_timeout=2000")
	if err != nil {
		return nil, fmt.Errorf("open the database: %w", err)
	}
	db.SetMaxOpenConns(s.PoolSize)
	db.SetMaxIdleConns(s.PoolSize)
	probe, err := newProbe(db)
	if err != nil {
		return nil, errors.Join(err, db.Close())
	}
	return &Store{db: db, timeout: time.Duration(s.QueryTimeout), probe: probe}, nil
}

// Close closes the database.
func (s *Store) Close() error { return s.db.Close() }

const stockQuery = `SELECT p.sku, p.name, p.price, m.available
FROM (SELECT sku, SUM(quantity) AS available FROM movements WHERE sku IN (%s) GROUP BY sku) m
JOIN products p ON p.sku = m.sku`

// Stock returns the stock of the products, in the order they are asked for. A product that
// is not in the catalogue is ErrUnknown.
func (s *Store) Stock(ctx context.Context, skus []string) ([]Stock, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()

	args := make([]any, len(skus))
	for i, sku := range skus {
		args[i] = sku
	}
	query := fmt.Sprintf(stockQuery, strings.TrimSuffix(strings.Repeat("?,", len(skus)), ","))
	found := make(map[string]Stock, len(skus))
	err := s.query(ctx, "SELECT movements", query, args, func(rows *sql.Rows) error {
		var st Stock
		if err := rows.Scan(&st.SKU, &st.Name, &st.ListPrice, &st.Available); err != nil {
			return err
		}
		found[st.SKU] = st
		return nil
	})
	if err != nil {
		return nil, err
	}

	stock := make([]Stock, 0, len(skus))
	for _, sku := range skus {
		st, ok := found[sku]
		if !ok {
			return nil, fmt.Errorf("%w: %s", ErrUnknown, sku)
		}
		stock = append(stock, st)
	}
	return stock, nil
}

const reportQuery = `SELECT sku, SUM(quantity), MIN(level) FROM (
  SELECT sku, quantity, SUM(quantity) OVER (PARTITION BY sku ORDER BY booked, id) AS level
  FROM movements)
GROUP BY sku
ORDER BY sku`

// Report returns the level of every product.
func (s *Store) Report(ctx context.Context) ([]Level, error) {
	ctx, cancel := context.WithTimeout(ctx, s.timeout)
	defer cancel()

	var levels []Level
	err := s.query(ctx, "SELECT movements", reportQuery, nil, func(rows *sql.Rows) error {
		var l Level
		if err := rows.Scan(&l.SKU, &l.Now, &l.Lowest); err != nil {
			return err
		}
		levels = append(levels, l)
		return nil
	})
	return levels, err
}

// query runs one statement on a connection of the pool and hands its rows on.
func (s *Store) query(ctx context.Context, name, text string, args []any, row func(*sql.Rows) error) (err error) {
	ctx, done := s.probe.start(ctx, name, text)
	defer func() { done(err) }()

	conn, release, err := s.probe.connection(ctx, s.db)
	if err != nil {
		return err
	}
	defer release()

	rows, err := conn.QueryContext(ctx, text, args...)
	if err != nil {
		return fmt.Errorf("query: %w", err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := row(rows); err != nil {
			return fmt.Errorf("read row: %w", err)
		}
	}
	if err := rows.Err(); err != nil {
		return fmt.Errorf("read rows: %w", err)
	}
	return nil
}
