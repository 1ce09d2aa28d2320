// Package gateway is the shop's door to the outside: it passes requests on to the services
// and hides what goes wrong behind them.
package gateway

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/http"
	"net/url"
	"time"

	"example.com/shop/internal/httpjson"
	"example.com/shop/internal/settings"
)

// maxBody bounds a request's body, in bytes.
const maxBody = 64 << 10

// maxAnswer bounds what is passed on of an answer, in bytes.
const maxAnswer = 1 << 20

// Settings are what operators decide.
type Settings struct {
	OrdersTimeout    settings.Duration `json:"orders_timeout"`
	InventoryTimeout settings.Duration `json:"inventory_timeout"`
}

// Backend is a service behind the gateway.
type Backend struct {
	Name    string
	Base    string
	Timeout time.Duration
}

// Gateway passes requests on.
type Gateway struct {
	orders    Backend
	inventory Backend
	http      *http.Client
	logger    *slog.Logger
}

// New makes the gateway.
func New(orders, inventory Backend, client *http.Client, logger *slog.Logger) *Gateway {
	return &Gateway{orders: orders, inventory: inventory, http: client, logger: logger}
}

// Handler is the shop's public HTTP interface.
func (g *Gateway) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", func(w http.ResponseWriter, r *http.Request) {
		g.pass(w, r, g.orders, "/orders")
	})
	mux.HandleFunc("GET /orders/{id}", func(w http.ResponseWriter, r *http.Request) {
		g.pass(w, r, g.orders, "/orders/"+url.PathEscape(r.PathValue("id")))
	})
	mux.HandleFunc("GET /products/{sku}", func(w http.ResponseWriter, r *http.Request) {
		g.pass(w, r, g.inventory, "/products/"+url.PathEscape(r.PathValue("sku")))
	})
	mux.HandleFunc("GET /reports/stock", func(w http.ResponseWriter, r *http.Request) {
		g.pass(w, r, g.inventory, "/reports/stock")
	})
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return mux
}

// pass sends the request to a backend and its answer back. What customers can mend is
// passed on as it is; everything else becomes 502 or, when time is up, 504.
func (g *Gateway) pass(w http.ResponseWriter, r *http.Request, to Backend, path string) {
	ctx, cancel := context.WithTimeout(r.Context(), to.Timeout)
	defer cancel()

	status, body, err := g.call(ctx, r, to, path)
	switch {
	case ctx.Err() != nil:
		g.logger.ErrorContext(ctx, "backend did not answer in time", "backend", to.Name)
		httpjson.Refuse(w, http.StatusGatewayTimeout, "timeout", "this takes too long, please try again")
	case err != nil:
		g.logger.ErrorContext(ctx, "backend failed", "backend", to.Name, "error", err.Error())
		httpjson.Refuse(w, http.StatusBadGateway, "unavailable", "something went wrong, please try again")
	case status >= http.StatusInternalServerError:
		g.logger.ErrorContext(ctx, "backend answered with an error", "backend", to.Name, "status", status)
		httpjson.Refuse(w, http.StatusBadGateway, "unavailable", "something went wrong, please try again")
	default:
		w.Header().Set("Content-Type", "application/json")
		w.WriteHeader(status)
		_, _ = w.Write(body) // the client is gone; nobody is left to tell
	}
}

func (g *Gateway) call(ctx context.Context, r *http.Request, to Backend, path string) (status int, body []byte, err error) {
	req, err := http.NewRequestWithContext(ctx, r.Method, to.Base+path, io.LimitReader(r.Body, maxBody))
	if err != nil {
		return 0, nil, fmt.Errorf("make request: %w", err)
	}
	if r.Method == http.MethodPost {
		req.Header.Set("Content-Type", "application/json")
	}
	resp, err := g.http.Do(req)
	if err != nil {
		return 0, nil, err
	}
	defer resp.Body.Close()
	body, err = io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return 0, nil, fmt.Errorf("read answer: %w", err)
	}
	return resp.StatusCode, body, nil
}
