package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"math"
	"math/rand/v2"
	"net/http"
	"net/url"
	"sync"
	"time"
)

// load is what customers do. Rates are in requests per second.
type load struct {
	Orders   float64
	Products float64
	Lookups  float64 // of orders placed before
	Reports  float64
	Mistakes float64 // orders that are refused with 400 or 404
	// MinItems and MaxItems bound the lines of an order.
	MinItems, MaxItems int
	// SlowCards and Guests are shares of the orders, 0..1: cards whose issuer takes its time, and
	// customers without a tier, who buy a lot.
	SlowCards, Guests float64
	// Swing is how far the load rises and falls around its mean, 0..1, over Cycle.
	Swing float64
	Cycle time.Duration
}

// usual is an ordinary hour.
func usual() load {
	return load{Orders: 10, Products: 5, Lookups: 2, Reports: 0.4, Mistakes: 0.6, MinItems: 1, MaxItems: 4}
}

func (l load) rates() []float64 {
	return []float64{l.Orders, l.Products, l.Lookups, l.Reports, l.Mistakes}
}

// maxOpen bounds the requests under way; above it customers go elsewhere.
const maxOpen = 400

// customers send requests to the gateway, whether or not earlier ones were answered.
type customers struct {
	client *http.Client
	seen   *scoreboard

	mu     sync.Mutex
	load   load
	placed []string // ids of orders, the youngest last
	random *rand.Rand
}

func newCustomers(proxy string, seen *scoreboard, l load) *customers {
	return &customers{
		client: &http.Client{
			Timeout:   15 * time.Second,
			Transport: &http.Transport{Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: proxy}), MaxIdleConnsPerHost: maxOpen},
		},
		seen:   seen,
		load:   l,
		random: rand.New(rand.NewPCG(7, 11)),
	}
}

func (c *customers) set(l load) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.load = l
}

// run sends requests until the context ends, and then waits for the answers.
func (c *customers) run(ctx context.Context) {
	var open sync.WaitGroup
	defer open.Wait()
	slots := make(chan struct{}, maxOpen)
	begun := time.Now()
	for {
		c.mu.Lock()
		pause, request := c.next(time.Since(begun))
		c.mu.Unlock()
		timer := time.NewTimer(pause)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
		select {
		case slots <- struct{}{}:
		default:
			continue
		}
		open.Go(func() {
			c.send(request)
			<-slots
		})
	}
}

// request is one thing a customer does.
type request struct {
	method, route, path string
	body                any
}

// next draws the time to the next request (Poisson arrivals) and what it is.
func (c *customers) next(since time.Duration) (time.Duration, request) {
	l, total := c.load, 0.0
	for _, rate := range l.rates() {
		total += rate
	}
	if l.Cycle > 0 {
		total *= 1 + l.Swing*math.Sin(2*math.Pi*since.Seconds()/l.Cycle.Seconds())
	}
	pause := time.Duration(c.random.ExpFloat64() / total * float64(time.Second))

	kind, point := 0, c.random.Float64()*sum(l.rates())
	for kind < len(l.rates())-1 && point >= l.rates()[kind] {
		point -= l.rates()[kind]
		kind++
	}
	switch kind {
	case 1:
		return pause, request{http.MethodGet, "GET /products/{sku}", "/products/" + c.sku(), nil}
	case 2:
		if len(c.placed) == 0 {
			return pause, request{http.MethodGet, "GET /orders/{id}", "/orders/ord-none", nil}
		}
		return pause, request{http.MethodGet, "GET /orders/{id}", "/orders/" + c.placed[c.random.IntN(len(c.placed))], nil}
	case 3:
		return pause, request{http.MethodGet, "GET /reports/stock", "/reports/stock", nil}
	case 4:
		order := c.order(l)
		if c.random.IntN(2) == 0 {
			order["items"] = []any{}
		} else {
			order["items"] = []any{map[string]any{"sku": "sku-999", "quantity": 1}}
		}
		return pause, request{http.MethodPost, "POST /orders", "/orders", order}
	}
	return pause, request{http.MethodPost, "POST /orders", "/orders", c.order(l)}
}

func sum(values []float64) float64 {
	total := 0.0
	for _, v := range values {
		total += v
	}
	return total
}

func (c *customers) sku() string { return fmt.Sprintf("sku-%03d", 1+c.random.IntN(200)) }

func (c *customers) order(l load) map[string]any {
	customer := map[string]any{
		"id":   fmt.Sprintf("cust-%04d", c.random.IntN(3000)),
		"tier": []string{"basic", "basic", "silver", "gold", "platinum"}[c.random.IntN(5)],
	}
	items := l.MinItems + c.random.IntN(l.MaxItems-l.MinItems+1)
	quantity := 3
	if c.random.Float64() < l.Guests {
		customer["tier"] = nil
		quantity = 8
		items = max(items, 3)
	}
	card := fmt.Sprintf("4000-%04d", 1000+c.random.IntN(8000))
	if c.random.Float64() < l.SlowCards {
		card = fmt.Sprintf("5100-%04d", 1000+c.random.IntN(8000))
	}
	var lines []any
	for range items {
		lines = append(lines, map[string]any{"sku": c.sku(), "quantity": 1 + c.random.IntN(quantity)})
	}
	return map[string]any{
		"customer": customer,
		"currency": []string{"EUR", "EUR", "EUR", "USD", "GBP", "PLN"}[c.random.IntN(6)],
		"card":     card,
		"items":    lines,
	}
}

func (c *customers) send(r request) {
	var body io.Reader = http.NoBody
	if r.body != nil {
		text, err := json.Marshal(r.body)
		if err != nil {
			return
		}
		body = bytes.NewReader(text)
	}
	req, err := http.NewRequest(r.method, "http://gateway:8080"+r.path, body)
	if err != nil {
		return
	}
	begun := time.Now()
	resp, err := c.client.Do(req)
	if err != nil {
		c.seen.count(r.route, 0, time.Since(begun))
		return
	}
	defer resp.Body.Close()
	var placed struct {
		ID string `json:"id"`
	}
	err = json.NewDecoder(io.LimitReader(resp.Body, 1<<20)).Decode(&placed)
	c.seen.count(r.route, resp.StatusCode, time.Since(begun))
	if err == nil && resp.StatusCode == http.StatusCreated {
		c.mu.Lock()
		defer c.mu.Unlock()
		if c.placed = append(c.placed, placed.ID); len(c.placed) > 100 {
			c.placed = c.placed[1:]
		}
	}
}
