package orders

import (
	"context"
	"fmt"
	"log/slog"
	"net/http"

	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/attribute"
	"go.opentelemetry.io/otel/trace"

	"example.com/shop/internal/httpjson"
)

// refusal is an order that cannot be taken as it is; it is the customer's to mend.
type refusal struct {
	status  int
	code    string
	message string
}

func (r *refusal) Error() string { return r.message }

// checkout takes one order through stock, price and payment.
type checkout struct {
	inventory *Inventory
	pricing   *Pricing
	payments  *Payments
	logger    *slog.Logger
	tracer    trace.Tracer
}

func newCheckout(inventory *Inventory, pricing *Pricing, payments *Payments, logger *slog.Logger) *checkout {
	return &checkout{
		inventory: inventory, pricing: pricing, payments: payments, logger: logger,
		tracer: otel.Tracer("example.com/shop/orders"),
	}
}

// place takes the order or says why not. A *refusal is the customer's to mend, any other
// error is ours.
func (c *checkout) place(ctx context.Context, r Request) (Order, error) {
	stock, err := c.inventory.Availability(ctx, r.Items)
	if err != nil {
		if httpjson.Status(err) == http.StatusNotFound {
			return Order{}, &refusal{http.StatusNotFound, "unknown_product", "a product is not in the catalogue"}
		}
		return Order{}, err
	}
	for i, item := range r.Items {
		if stock[i].Available < item.Quantity {
			return Order{}, &refusal{http.StatusConflict, "out_of_stock",
				fmt.Sprintf("%d of %s are left", max(stock[i].Available, 0), item.SKU)}
		}
	}

	order := Order{ID: newID(), Customer: r.Customer.ID, Items: r.Items, Currency: r.Currency}
	order.Total, order.PriceSource, err = c.price(ctx, r, stock)
	if err != nil {
		return Order{}, err
	}
	order.Authorization, err = c.payments.Charge(ctx, Charge{
		Order: order.ID, Amount: order.Total, Currency: order.Currency, Card: r.Card,
	})
	if err != nil {
		if httpjson.Status(err) == http.StatusBadRequest {
			return Order{}, &refusal{http.StatusBadRequest, "payment_refused", "the payment cannot be made like this"}
		}
		return Order{}, err
	}
	return order, nil
}

// price asks pricing for the total. Where pricing does not answer the customer pays the
// list price rather than nothing at all; an answer that is an error is not covered up.
func (c *checkout) price(ctx context.Context, r Request, stock []Stock) (total int64, source string, err error) {
	ctx, span := c.tracer.Start(ctx, "checkout.price")
	defer span.End()

	lines := make([]Line, len(stock))
	for i, s := range stock {
		lines[i] = Line{SKU: s.SKU, Quantity: r.Items[i].Quantity, ListPrice: s.ListPrice}
		total += lines[i].Quantity * s.ListPrice
	}
	quote, err := c.pricing.Quote(ctx, r.Customer, lines)
	if err == nil {
		return quote.Total, "pricing", nil
	}
	if httpjson.Status(err) != 0 {
		return 0, "", err
	}
	span.SetAttributes(attribute.String("price.source", "list"))
	c.logger.WarnContext(ctx, "pricing does not answer, using list prices", "error", err.Error())
	return total, "list", nil
}
