package orders

import (
	"context"
	"fmt"
	"net/http"

	"example.com/shop/internal/httpjson"
)

// Line is one item with its list price, as pricing wants it.
type Line struct {
	SKU       string `json:"sku"`
	Quantity  int64  `json:"quantity"`
	ListPrice int64  `json:"list_price"`
}

// Quote is what pricing asks for an order.
type Quote struct {
	Total    int64 `json:"total"`
	Discount int64 `json:"discount"`
}

// Pricing asks the pricing service.
type Pricing struct {
	base string
	http *http.Client
}

// NewPricing makes a client of the pricing at base.
func NewPricing(base string, client *http.Client) *Pricing {
	return &Pricing{base: base, http: client}
}

// Quote returns the price of the lines for the customer.
func (c *Pricing) Quote(ctx context.Context, customer Customer, lines []Line) (Quote, error) {
	question := struct {
		Customer Customer `json:"customer"`
		Lines    []Line   `json:"lines"`
	}{customer, lines}
	var quote Quote
	if err := httpjson.Post(ctx, c.http, c.base+"/quotes", question, &quote); err != nil {
		return Quote{}, fmt.Errorf("ask pricing: %w", err)
	}
	return quote, nil
}
