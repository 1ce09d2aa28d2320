package codeindex

import (
	"strings"
	"testing"

	"github.com/remediator/remediator/codeindex/facts"
	"pgregory.net/rapid"
)

func TestTemplatesAndTexts(t *testing.T) {
	for _, c := range []struct {
		template, text string
		low, high      float64
	}{
		{"charge", "charge", 1, 1},
		{"charge <*>", "charge EUR", 0.7, 1},
		{"charge <*> of <*>", "charge 3 of 4 orders", 0.7, 1},
		{"charge <*> of <*>", "charge <*> of <*>", 1, 1},
		{"charge <*> of <*>", "charge 3 <*> 4", 0.4, 1},
		{"charge <*> now", "charge 3 later", 0, 0},
		{"<*>", "anything", 0, 0},
		{"<*> <*>", "POST /orders", 0, 0},
		{"charge failed", "charge failed order=7", 0.3, 0.8},
		{"charge", "recharge", 0, 0},
	} {
		if got := agree(c.template, c.text); got < c.low || got > c.high {
			t.Errorf("agree(%q, %q) = %v, want %v to %v", c.template, c.text, got, c.low, c.high)
		}
	}
}

func TestFilledTemplatesAgree(t *testing.T) {
	word := rapid.StringMatching(`[a-z]{3,8}`)
	rapid.Check(t, func(t *rapid.T) {
		parts := rapid.SliceOfN(word, 2, 6).Draw(t, "parts")
		template := strings.Join(parts, " "+facts.Hole+" ")
		text := template
		for strings.Contains(text, facts.Hole) {
			text = strings.Replace(text, facts.Hole, rapid.StringMatching(`[0-9]{1,5}`).Draw(t, "value"), 1)
		}
		if got := agree(template, text); got < 0.7 {
			t.Fatalf("agree(%q, %q) = %v", template, text, got)
		}
		if got := agree(template, "x"+text); got != 0 {
			t.Fatalf("agree(%q, %q) = %v", template, "x"+text, got)
		}
	})
}

func TestRoutesOfEverySpelling(t *testing.T) {
	for _, registered := range []string{"/orders/{id}/items", "/orders/:id/items", "/orders/<int:id>/items", "/orders/{id:[0-9]+}/items", `^orders/(?P<id>\d+)/items$`, "/orders/<*>/items", "/orders/{id}/items/", "orders/*/items"} {
		for _, seen := range []string{"/orders/{id}/items", "/orders/42/items", "/orders/:orderId/items?x=1", "http://shop:80/orders/42/items"} {
			if got, _ := sameRoute(registered, seen); got < 0.9 {
				t.Errorf("sameRoute(%q, %q) = %v", registered, seen, got)
			}
		}
		for _, seen := range []string{"/orders/42", "/carts/42/items", "/orders/42/items/7", "/"} {
			if got, _ := sameRoute(registered, seen); got > 0.65 {
				t.Errorf("sameRoute(%q, %q) = %v", registered, seen, got)
			}
		}
	}
	if got, part := sameRoute("/{id}/items", "/api/orders/7/items"); got == 0 || got > 0.7 || part == "" {
		t.Errorf("a prefix that is added elsewhere: %v %q", got, part)
	}
	if got, _ := sameRoute("/{id}", "/orders"); got != 0 {
		t.Errorf("a parameter alone explains nothing: %v", got)
	}
}

func TestFunctionNamesOfEveryRuntime(t *testing.T) {
	for _, c := range []struct{ namespace, function, ns, fn string }{
		{"", "github.com/acme/shop/payments.(*Client).Charge.func1", "github.com/acme/shop/payments.Client", "Charge"},
		{"", "main.run", "main", "run"},
		{"", "main.Map[...]", "main", "Map"},
		{"", "gopkg.in/yaml%2ev3.Unmarshal", "gopkg.in/yaml.v3", "Unmarshal"},
		{"com.acme.PaymentService", "charge", "com.acme.PaymentService", "charge"},
		{"", "com.acme.PaymentService$Inner.lambda$charge$0", "com.acme.PaymentService.Inner", "charge"},
		{"com.acme.Payment", "<init>", "com.acme.Payment", "Payment"},
		{"", "async OrderService.create", "OrderService", "create"},
		{"", "Object.<anonymous>", "Object", "<anonymous>"},
		{"", "shop.payments.Client.charge", "shop.payments.Client", "charge"},
		{"", "charge.<locals>.inner", "charge", "inner"},
		{"", "", "", ""},
	} {
		ns, fn := splitFunction(c.namespace, c.function)
		if ns != c.ns || fn != c.fn {
			t.Errorf("splitFunction(%q, %q) = %q, %q; want %q, %q", c.namespace, c.function, ns, fn, c.ns, c.fn)
		}
	}
}

func TestAbbreviatedPackages(t *testing.T) {
	for _, c := range []struct {
		namespace, pkg, typ string
		fits                bool
	}{
		{"f.m.s.BasicServiceImpl", "fdse.microservice.service", "BasicServiceImpl", true},
		{"s.BasicServiceImpl", "fdse.microservice.service", "BasicServiceImpl", true},
		{"fdse.microservice.service.BasicServiceImpl", "fdse.microservice.service", "BasicServiceImpl", true},
		{"BasicServiceImpl", "fdse.microservice.service", "BasicServiceImpl", true},
		{"f.m.x.BasicServiceImpl", "fdse.microservice.service", "BasicServiceImpl", false},
		{"f.m.s.OtherImpl", "fdse.microservice.service", "BasicServiceImpl", false},
		{"a.b.c.d.BasicServiceImpl", "c.d", "BasicServiceImpl", false},
	} {
		if got := namespaceFits(c.namespace, c.pkg, c.typ); (got > 0) != c.fits {
			t.Errorf("namespaceFits(%q, %q, %q) = %v", c.namespace, c.pkg, c.typ, got)
		}
	}
}

func TestStatementsAreComparedWithoutTheirValues(t *testing.T) {
	same := []string{
		"SELECT id, name FROM orders WHERE id = $1 AND state = 'paid'", "select id,name from orders where id=? and state=?",
		"SELECT id , name\n FROM \"orders\" WHERE id = 42 AND state = %s;", "SELECT id, name FROM `orders` WHERE id = :id AND state = :state", "SELECT id, name FROM orders WHERE id = <*> AND state = %(state)s",
	}
	for _, s := range same[1:] {
		if a, b := normalStatement(same[0]), normalStatement(s); a != b {
			t.Errorf("%q\n%q", a, b)
		}
	}
	if normalStatement("SELECT a FROM b") == normalStatement("SELECT a FROM c") {
		t.Error("tables matter")
	}
}

func FuzzLeads(f *testing.F) {
	for _, s := range []string{"POST /orders/{id}", "a.b/C", "charge <*>", "SELECT a FROM b WHERE c = 'x", "((((", "{", "f.m.s.X", "\x01a\x02"} {
		f.Add(s, s)
	}
	f.Fuzz(func(t *testing.T, a, b string) {
		if len(a) > 2000 || len(b) > 2000 {
			return
		}
		for _, score := range []float64{agree(a, b), agreeTokens(a, b)} {
			if score < 0 || score > 1 {
				t.Fatalf("agree(%q, %q) = %v", a, b, score)
			}
		}
		if score, _ := sameRoute(a, b); score < 0 || score > 1 {
			t.Fatalf("sameRoute(%q, %q) = %v", a, b, score)
		}
		normalStatement(a)
		splitFunction(a, b)
		namespaceFits(a, b, a)
		MatchPath(a, b)
	})
}
