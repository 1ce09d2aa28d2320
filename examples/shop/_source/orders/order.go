// Package orders takes orders: it looks at the stock, asks for the price and has the card
// charged.
package orders

import (
	"errors"
	"fmt"
)

// maxItems bounds one order.
const maxItems = 50

// Request is an order as a customer places it.
type Request struct {
	Customer Customer `json:"customer"`
	Currency string   `json:"currency"`
	Card     string   `json:"card"`
	Items    []Item   `json:"items"`
}

// Customer is who orders. Tier is the customer's place in the loyalty programme.
type Customer struct {
	ID   string  `json:"id"`
	Tier *string `json:"tier"`
}

// Item is one line of an order.
type Item struct {
	SKU      string `json:"sku"`
	Quantity int64  `json:"quantity"`
}

// Order is an order that was taken.
type Order struct {
	ID            string `json:"id"`
	Customer      string `json:"customer"`
	Items         []Item `json:"items"`
	Total         int64  `json:"total"` // in the currency's minor unit
	Currency      string `json:"currency"`
	PriceSource   string `json:"price_source"` // "pricing", or "list" when pricing could not be asked
	Authorization string `json:"authorization"`
}

// validate says what is wrong with a request, if anything.
func (r Request) validate() error {
	switch {
	case r.Customer.ID == "":
		return errors.New("customer is missing")
	case r.Card == "":
		return errors.New("card is missing")
	case r.Currency == "":
		return errors.New("currency is missing")
	case len(r.Items) == 0:
		return errors.New("there is nothing in the order")
	case len(r.Items) > maxItems:
		return fmt.Errorf("%d items are more than the %d one order may have", len(r.Items), maxItems)
	}
	for i, item := range r.Items {
		if item.SKU == "" || item.Quantity <= 0 {
			return fmt.Errorf("item %d needs a sku and a positive quantity", i+1)
		}
	}
	return nil
}
