// Orders takes orders.
package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"example.com/shop/internal/server"
	"example.com/shop/internal/settings"
	"example.com/shop/orders"
)

func main() { server.Main("orders", ":8081", build) }

func build(_ context.Context, logger *slog.Logger) (http.Handler, func() error, error) {
	var s orders.Settings
	if err := settings.Load(server.Env("ORDERS_SETTINGS", "config/orders.json"), &s); err != nil {
		return nil, nil, err
	}
	client := server.Client()
	return orders.New(
		orders.NewInventory(server.Env("INVENTORY_URL", "http://inventory:8082"), client, time.Duration(s.InventoryTimeout)),
		orders.NewPricing(server.Env("PRICING_URL", "http://pricing:8084"), client),
		orders.NewPayments(server.Env("PAYMENTS_URL", "http://payments:8083"), client, time.Duration(s.PaymentsTimeout)),
		logger,
	).Handler(), nil, nil
}
