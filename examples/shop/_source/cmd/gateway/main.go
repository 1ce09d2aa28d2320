// Gateway is the shop's door to the outside.
package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"example.com/shop/gateway"
	"example.com/shop/internal/server"
	"example.com/shop/internal/settings"
)

func main() { server.Main("gateway", ":8080", build) }

func build(_ context.Context, logger *slog.Logger) (http.Handler, func() error, error) {
	var s gateway.Settings
	if err := settings.Load(server.Env("GATEWAY_SETTINGS", "config/gateway.json"), &s); err != nil {
		return nil, nil, err
	}
	return gateway.New(
		gateway.Backend{Name: "orders", Base: server.Env("ORDERS_URL", "http://orders:8081"), Timeout: time.Duration(s.OrdersTimeout)},
		gateway.Backend{Name: "inventory", Base: server.Env("INVENTORY_URL", "http://inventory:8082"), Timeout: time.Duration(s.InventoryTimeout)},
		server.Client(), logger,
	).Handler(), nil, nil
}
