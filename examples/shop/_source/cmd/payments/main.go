// Payments charges cards for orders.
package main

import (
	"context"
	"log/slog"
	"net/http"
	"time"

	"example.com/shop/internal/flags"
	"example.com/shop/internal/server"
	"example.com/shop/internal/settings"
	"example.com/shop/payments"
	"example.com/shop/payments/bank"
)

func main() { server.Main("payments", ":8083", build) }

func build(_ context.Context, logger *slog.Logger) (http.Handler, func() error, error) {
	var s payments.Settings
	if err := settings.Load(server.Env("PAYMENTS_SETTINGS", "config/payments.json"), &s); err != nil {
		return nil, nil, err
	}
	set, err := flags.Load(server.Env("FLAGS_FILE", "flags.json"))
	if err != nil {
		return nil, nil, err
	}
	client := bank.New(server.Env("BANK_URL", "http://bank:8090"), server.Client(), time.Duration(s.BankTimeout), s.BankAttempts)
	return payments.New(client, set, s, logger).Handler(), nil, nil
}
