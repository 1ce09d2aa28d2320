package inventory

import (
	"context"
	_ "embed"
	"fmt"
	"math/rand/v2"
)

//go:embed schema.sql
var schema string

const (
	products  = 200
	perSKU    = 700 // movements of each product
	firstLoad = 400 // pieces of each product the ledger begins with
)

// SKU is the name of the n-th product of the catalogue, from 1.
func SKU(n int) string { return fmt.Sprintf("sku-%03d", n) }

var nouns = [...]string{"lamp", "chair", "desk", "shelf", "rug", "clock", "vase", "mirror"}
var adjectives = [...]string{"oak", "brass", "linen", "glass", "steel"}

// Seed fills an empty database with the catalogue and a ledger. It always makes the same
// rows, so that every instance answers alike.
func (s *Store) Seed(ctx context.Context) error {
	tx, err := s.db.BeginTx(ctx, nil)
	if err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	defer func() { _ = tx.Rollback() }() // without effect after the commit
	if _, err := tx.ExecContext(ctx, schema); err != nil {
		return fmt.Errorf("create tables: %w", err)
	}
	product, err := tx.PrepareContext(ctx, `INSERT INTO products (sku, name, price) VALUES (?, ?, ?)`)
	if err != nil {
		return fmt.Errorf("seed products: %w", err)
	}
	movement, err := tx.PrepareContext(ctx, `INSERT INTO movements (sku, warehouse, booked, quantity) VALUES (?, ?, ?, ?)`)
	if err != nil {
		return fmt.Errorf("seed movements: %w", err)
	}

	for n := 1; n <= products; n++ {
		name := adjectives[n%len(adjectives)] + " " + nouns[n%len(nouns)]
		if _, err := product.ExecContext(ctx, SKU(n), name, 500+37*n); err != nil {
			return fmt.Errorf("seed products: %w", err)
		}
	}
	random := rand.New(rand.NewPCG(1, 2))
	for i := range perSKU {
		for n := 1; n <= products; n++ {
			quantity := random.IntN(9) - 4
			if i == 0 {
				quantity = firstLoad
			}
			if _, err := movement.ExecContext(ctx, SKU(n), []string{"north", "south"}[i%2], i, quantity); err != nil {
				return fmt.Errorf("seed movements: %w", err)
			}
		}
	}
	if err := tx.Commit(); err != nil {
		return fmt.Errorf("seed: %w", err)
	}
	return nil
}
