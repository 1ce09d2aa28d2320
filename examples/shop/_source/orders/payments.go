package orders

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"example.com/shop/internal/httpjson"
)

// Charge is what payments is to take for an order.
type Charge struct {
	Order    string `json:"order"`
	Amount   int64  `json:"amount"`
	Currency string `json:"currency"`
	Card     string `json:"card"`
}

// Payments asks the payments service.
type Payments struct {
	base    string
	http    *http.Client
	timeout time.Duration
}

// NewPayments makes a client of payments at base.
func NewPayments(base string, client *http.Client, timeout time.Duration) *Payments {
	return &Payments{base: base, http: client, timeout: timeout}
}

// Charge has the card charged and returns the bank's authorization.
func (c *Payments) Charge(ctx context.Context, charge Charge) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()
	var answer struct {
		Authorization string `json:"authorization"`
	}
	if err := httpjson.Post(ctx, c.http, c.base+"/charges", charge, &answer); err != nil {
		return "", fmt.Errorf("charge the card: %w", err)
	}
	return answer.Authorization, nil
}
