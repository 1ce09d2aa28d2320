// Package payments charges cards for orders.
package payments

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"

	"example.com/shop/internal/flags"
	"example.com/shop/internal/httpjson"
	"example.com/shop/internal/settings"
	"example.com/shop/payments/bank"
)

// maxRisk is the score from which a charge is refused, where the risk check is on.
const maxRisk = 80

// Settings are what operators decide.
type Settings struct {
	// BankTimeout is how long one attempt at the bank may take.
	BankTimeout settings.Duration `json:"bank_timeout"`
	// BankAttempts is how often the bank is asked before a charge fails.
	BankAttempts int `json:"bank_attempts"`
	// Currencies are the currencies the bank settles for us.
	Currencies []string `json:"currencies"`
}

// Charge is a request to take money for an order.
type Charge struct {
	Order    string `json:"order"`
	Amount   int64  `json:"amount"` // in the currency's minor unit
	Currency string `json:"currency"`
	Card     string `json:"card"`
}

// Result is a charge that went through.
type Result struct {
	Order         string `json:"order"`
	Amount        int64  `json:"amount"`
	Currency      string `json:"currency"`
	Authorization string `json:"authorization"`
}

// Bank is what the service needs of a bank.
type Bank interface {
	Authorize(ctx context.Context, a bank.Authorization) (bank.Receipt, error)
	Risk(ctx context.Context, card string) (int, error)
}

// Service charges cards.
type Service struct {
	bank       Bank
	flags      flags.Set
	currencies []string
	logger     *slog.Logger
}

// New makes the service.
func New(b Bank, set flags.Set, s Settings, logger *slog.Logger) *Service {
	currencies := slices.Clone(s.Currencies)
	slices.Sort(currencies)
	return &Service{bank: b, flags: set, currencies: currencies, logger: logger}
}

// Handler is the service's HTTP interface.
func (s *Service) Handler() http.Handler {
	mux := http.NewServeMux()
	mux.HandleFunc("POST /charges", s.charge)
	mux.HandleFunc("GET /currencies", s.listCurrencies)
	mux.HandleFunc("GET /healthz", func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusNoContent) })
	return mux
}

func (s *Service) listCurrencies(w http.ResponseWriter, _ *http.Request) {
	httpjson.Write(w, http.StatusOK, map[string][]string{"currencies": s.currencies})
}

func (s *Service) charge(w http.ResponseWriter, r *http.Request) {
	var c Charge
	if err := httpjson.Read(w, r, &c); err != nil {
		httpjson.Refuse(w, http.StatusBadRequest, "invalid_charge", err.Error())
		return
	}
	if code, err := s.check(c); err != nil {
		httpjson.Refuse(w, http.StatusBadRequest, code, err.Error())
		return
	}
	ctx := r.Context()
	if s.flags.On("risk-check") {
		if ok := s.checkRisk(ctx, w, c); !ok {
			return
		}
	}
	receipt, err := s.bank.Authorize(ctx, bank.Authorization{
		Reference: c.Order, Amount: c.Amount, Currency: c.Currency, Card: c.Card,
	})
	if err != nil {
		s.logger.ErrorContext(ctx, "charge failed", "order", c.Order, "error", err.Error())
		httpjson.Refuse(w, http.StatusBadGateway, "bank_unavailable", "the bank did not authorize the charge")
		return
	}
	s.logger.InfoContext(ctx, "charge authorized", "order", c.Order, "amount", c.Amount)
	httpjson.Write(w, http.StatusCreated, Result{
		Order: c.Order, Amount: c.Amount, Currency: c.Currency, Authorization: receipt.Authorization,
	})
}

// check says what is wrong with a charge, if anything.
func (s *Service) check(c Charge) (code string, err error) {
	switch {
	case c.Order == "":
		return "invalid_charge", errors.New("order is missing")
	case c.Card == "":
		return "invalid_charge", errors.New("card is missing")
	case c.Amount <= 0:
		return "invalid_amount", fmt.Errorf("amount %d is not positive", c.Amount)
	case !slices.Contains(s.currencies, c.Currency):
		return "unsupported_currency", fmt.Errorf("currency %q is not settled by the bank", c.Currency)
	}
	return "", nil
}

// checkRisk asks the bank about the card and answers the request itself where the charge
// may not go on.
func (s *Service) checkRisk(ctx context.Context, w http.ResponseWriter, c Charge) bool {
	score, err := s.bank.Risk(ctx, c.Card)
	if err != nil {
		s.logger.ErrorContext(ctx, "risk check failed", "order", c.Order, "error", err.Error())
		httpjson.Refuse(w, http.StatusBadGateway, "risk_unknown", "the risk of the charge could not be checked")
		return false
	}
	if score >= maxRisk {
		s.logger.WarnContext(ctx, "charge refused for its risk", "order", c.Order, "score", score)
		httpjson.Refuse(w, http.StatusForbidden, "too_risky", "the charge was refused")
		return false
	}
	return true
}
