package orders

import (
	"errors"
	"log/slog"
	"net/http"

	"example.com/shop/internal/httpjson"
	"example.com/shop/internal/settings"
)

// Settings are what operators decide.
type Settings struct {
	InventoryTimeout settings.Duration `json:"inventory_timeout"`
	PaymentsTimeout  settings.Duration `json:"payments_timeout"`
}

// Service takes orders.
type Service struct {
	checkout *checkout
	store    *store
	logger   *slog.Logger
}

// New makes the service.
func New(inventory *Inventory, pricing *Pricing, payments *Payments, logger *slog.Logger) *Service {
	return &Service{
		checkout: newCheckout(inventory, pricing, payments, logger),
		store:    newStore(),
		logger:   logger,
	}
}

// Handler is the service's HTTP interface.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /orders", s.place)
	mux.HandleFunc("GET /orders/{id}", s.show)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return mux
}

func (s *Service) place(w http.ResponseWriter, r *http.Request) {
	var request Request
	if err := httpjson.Read(w, r, &request); err != nil {
		httpjson.Refuse(w, http.StatusBadRequest, "invalid_order", err.Error())
		return
	}
	if err := request.validate(); err != nil {
		httpjson.Refuse(w, http.StatusBadRequest, "invalid_order", err.Error())
		return
	}
	order, err := s.checkout.place(r.Context(), request)
	if err != nil {
		var refused *refusal
		if errors.As(err, &refused) {
			httpjson.Refuse(w, refused.status, refused.code, refused.message)
			return
		}
		s.logger.ErrorContext(r.Context(), "order not taken", "error", err.Error())
		httpjson.Refuse(w, http.StatusBadGateway, "order_not_taken", "the order could not be taken, please try again")
		return
	}
	s.store.put(order)
	s.logger.InfoContext(r.Context(), "order taken", "order", order.ID, "items", len(order.Items))
	httpjson.Write(w, http.StatusCreated, order)
}

func (s *Service) show(w http.ResponseWriter, r *http.Request) {
	order, ok := s.store.get(r.PathValue("id"))
	if !ok {
		httpjson.Refuse(w, http.StatusNotFound, "unknown_order", "there is no such order")
		return
	}
	httpjson.Write(w, http.StatusOK, order)
}
