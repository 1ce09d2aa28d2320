package orders

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"example.com/shop/internal/httpjson"
)

// Stock is what the inventory says of one product.
type Stock struct {
	SKU       string `json:"sku"`
	Name      string `json:"name"`
	Available int64  `json:"available"`
	ListPrice int64  `json:"list_price"`
}

// Inventory asks the inventory service.
type Inventory struct {
	base    string
	http    *http.Client
	timeout time.Duration
}

// NewInventory makes a client of the inventory at base.
func NewInventory(base string, client *http.Client, timeout time.Duration) *Inventory {
	return &Inventory{base: base, http: client, timeout: timeout}
}

// Availability returns the stock of every item, in their order.
func (c *Inventory) Availability(ctx context.Context, items []Item) ([]Stock, error) {
	ctx, cancel := context.WithTimeout(ctx, c.timeout)
	defer cancel()

	var question struct {
		SKUs []string `json:"skus"`
	}
	for _, item := range items {
		question.SKUs = append(question.SKUs, item.SKU)
	}
	var answer struct {
		Stock []Stock `json:"stock"`
	}
	if err := httpjson.Post(ctx, c.http, c.base+"/availability", question, &answer); err != nil {
		return nil, fmt.Errorf("ask the inventory: %w", err)
	}
	if len(answer.Stock) != len(items) {
		return nil, fmt.Errorf("the inventory answered for %d of %d items", len(answer.Stock), len(items))
	}
	return answer.Stock, nil
}
