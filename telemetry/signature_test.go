package telemetry

import (
	"testing"

	"pgregory.net/rapid"
)

func TestNormalRoute(t *testing.T) {
	for in, want := range map[string]string{
		"/orders/42":             "/orders/{id}",
		"/orders/42/items/7?x=9": "/orders/{id}/items/{id}",
		"/api/v2/users":          "/api/v2/users",
		"/u/550e8400-e29b-41d4-a716-446655440000/x": "/u/{id}/x",
		"/blob/9f86d081884c7d659a2feaa0c55ad015":    "/blob/{id}",
		"/s3/oauth2/callback":                       "/s3/oauth2/callback",
		"/day/2024-01-31":                           "/day/{id}",
		"/orders/:id":                               "/orders/:id",
		"/orders/{id}":                              "/orders/{id}",
		"/t/abc":                                    "/t/abc",
		"/k/a1b2c3d4e5k9":                           "/k/{id}",
		"":                                          "",
	} {
		if got := NormalRoute(in); got != want {
			t.Errorf("NormalRoute(%q) = %q, want %q", in, got, want)
		}
	}
}

func TestNormalisingTwiceChangesNothing(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.String().Draw(t, "s")
		if once := NormalName(s); NormalName(once) != once {
			t.Fatalf("%q -> %q -> %q", s, once, NormalName(once))
		}
	})
}

func TestSignatureHasNoIDs(t *testing.T) {
	res := &Resource{Service: "shop"}
	attrs := func(kv ...string) Attrs {
		var a Attrs
		for i := 0; i < len(kv); i += 2 {
			a = append(a, Attr{kv[i], kv[i+1]})
		}
		return sortAttrs(a)
	}
	tests := []struct {
		span           Span
		want, op, peer string
	}{
		{Span{Name: "GET /orders/42", Kind: KindServer, Attrs: attrs(AttrHTTPMethod, "GET", AttrHTTPRoute, "/orders/{id}")},
			"shop|server|GET /orders/{id}|/orders/{id}", "GET /orders/{id}", ""},
		{Span{Name: "POST", Kind: KindClient, Attrs: attrs(AttrHTTPMethod, "POST", AttrURLFull, "http://user:pw@bank.example:8080/pay/42?token=1")},
			"shop|client|POST|/pay/{id}", "POST /pay/{id}", "bank.example"},
		{Span{Name: "q", Kind: KindClient, Attrs: attrs(AttrDBSystem, "postgresql", AttrDBNamespace, "shop", AttrDBQuery, "select * from stock where sku = $1")},
			"shop|client|q|SELECT stock", "SELECT stock", "postgresql:shop"},
		{Span{Name: "orders send", Kind: KindProducer, Attrs: attrs(AttrMsgSystem, "kafka", AttrMsgDestination, "orders")},
			"shop|producer|orders send|orders", "orders send", "orders"},
		{Span{Name: "a.Cart/Add", Kind: KindClient, Attrs: attrs(AttrRPCSystem, "grpc", AttrRPCService, "a.Cart", AttrRPCMethod, "Add", AttrServerAddress, "localhost", AttrServerPort, "900")},
			"shop|client|a.Cart/Add|a.Cart/Add", "a.Cart/Add", "localhost:900"},
		{Span{Name: "job 77", Kind: KindInternal}, "shop|internal|job {id}|", "job {id}", ""},
	}
	for _, tt := range tests {
		tt.span.Resource = res
		if got := tt.span.Signature(); got != tt.want {
			t.Errorf("signature %q, want %q", got, tt.want)
		}
		if got := tt.span.Operation(); got != tt.op {
			t.Errorf("operation %q, want %q", got, tt.op)
		}
		if got := tt.span.Peer(); got != tt.peer {
			t.Errorf("peer %q, want %q", got, tt.peer)
		}
	}
}

func TestSplitStatement(t *testing.T) {
	for in, want := range map[string][2]string{
		"SELECT a, b FROM stock WHERE x":     {"SELECT", "stock"},
		"insert into orders(id) values (?)":  {"INSERT", "orders"},
		"UPDATE \"public\".\"t\" SET x":      {"UPDATE", "public.t"},
		"DELETE FROM `t`;":                   {"DELETE", "t"},
		"GET session":                        {"GET", ""},
		"BEGIN":                              {"BEGIN", ""},
		"":                                   {"", ""},
		"select 1 from (select 2 from deep)": {"SELECT", "deep"},
	} {
		op, coll := splitStatement(in)
		if op != want[0] || coll != want[1] {
			t.Errorf("splitStatement(%q) = %q %q, want %q", in, op, coll, want)
		}
	}
}

func TestIDs(t *testing.T) {
	if s := (TraceID{15: 1}).String(); s != "00000000000000000000000000000001" {
		t.Error(s)
	}
	if s := (SpanID{7: 0xab}).String(); s != "00000000000000ab" {
		t.Error(s)
	}
	if (TraceID{}).String() != "" || (SpanID{}).String() != "" || !(SpanID{}).IsZero() {
		t.Error("absent ids are not empty")
	}
}
