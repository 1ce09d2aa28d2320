// Package inventory knows what the warehouse holds. Availability is advice: the warehouse
// books goods out when it packs a parcel.
package inventory

import (
	"errors"
	"log/slog"
	"net/http"

	"example.com/shop/internal/httpjson"
	"example.com/shop/internal/settings"
)

// Settings are what operators decide.
type Settings struct {
	// PoolSize is the largest number of connections to the database.
	PoolSize int `json:"pool_size"`
	// QueryTimeout bounds a query, the wait for a connection included.
	QueryTimeout settings.Duration `json:"query_timeout"`
}

// maxSKUs bounds one question about availability.
const maxSKUs = 100

// Service answers questions about stock.
type Service struct {
	store  *Store
	logger *slog.Logger
}

// New makes the service.
func New(store *Store, logger *slog.Logger) *Service {
	return &Service{store: store, logger: logger}
}

// Handler is the service's HTTP interface.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /availability", s.availability)
	mux.HandleFunc("GET /products/{sku}", s.product)
	mux.HandleFunc("GET /reports/stock", s.report)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return mux
}

func (s *Service) availability(w http.ResponseWriter, r *http.Request) {
	var question struct {
		SKUs []string `json:"skus"`
	}
	if err := httpjson.Read(w, r, &question); err != nil {
		httpjson.Refuse(w, http.StatusBadRequest, "invalid_question", err.Error())
		return
	}
	if len(question.SKUs) == 0 || len(question.SKUs) > maxSKUs {
		httpjson.Refuse(w, http.StatusBadRequest, "invalid_question", "this is not a number of products that can be asked for")
		return
	}
	stock, err := s.store.Stock(r.Context(), question.SKUs)
	if err != nil {
		s.fail(w, r, err)
		return
	}
	httpjson.Write(w, http.StatusOK, map[string][]Stock{"stock": stock})
}

func (s *Service) product(w http.ResponseWriter, r *http.Request) {
	stock, err := s.store.Stock(r.Context(), []string{r.PathValue("sku")})
	if err != nil {
		s.fail(w, r, err)
		return
	}
	httpjson.Write(w, http.StatusOK, stock[0])
}

func (s *Service) report(w http.ResponseWriter, r *http.Request) {
	levels, err := s.store.Report(r.Context())
	if err != nil {
		s.fail(w, r, err)
		return
	}
	httpjson.Write(w, http.StatusOK, map[string][]Level{"levels": levels})
}

func (s *Service) fail(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, ErrUnknown) {
		httpjson.Refuse(w, http.StatusNotFound, "unknown_product", err.Error())
		return
	}
	s.logger.ErrorContext(r.Context(), "stock query failed", "error", err.Error())
	httpjson.Refuse(w, http.StatusInternalServerError, "stock_unknown", "the stock could not be read")
}
