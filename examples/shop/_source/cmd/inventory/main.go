// Inventory knows what the warehouse holds.
package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"os"
	"path/filepath"

	"example.com/shop/internal/server"
	"example.com/shop/internal/settings"
	"example.com/shop/inventory"
)

func main() { server.Main("inventory", ":8082", build) }

// build opens a fresh copy of the warehouse's ledger; it is removed when the service ends.
func build(ctx context.Context, logger *slog.Logger) (http.Handler, func() error, error) {
	var s inventory.Settings
	if err := settings.Load(server.Env("INVENTORY_SETTINGS", "config/inventory.json"), &s); err != nil {
		return nil, nil, err
	}
	dir, err := os.MkdirTemp("", "inventory")
	if err != nil {
		return nil, nil, fmt.Errorf("make room for the database: %w", err)
	}
	store, err := inventory.Open(filepath.Join(dir, "stock.db"), s)
	if err != nil {
		return nil, nil, errors.Join(err, os.RemoveAll(dir))
	}
	closeAll := func() error { return errors.Join(store.Close(), os.RemoveAll(dir)) }
	if err := store.Seed(ctx); err != nil {
		return nil, nil, errors.Join(err, closeAll())
	}
	return inventory.New(store, logger).Handler(), closeAll, nil
}
