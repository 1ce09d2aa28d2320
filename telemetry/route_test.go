package telemetry

import (
	"crypto/sha256"
	"encoding/base64"
	"fmt"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestWhatIsNoIDStays(t *testing.T) {
	for _, word := range []string{
		"v1", "v2beta1", "v1.2", "V3", "v1alpha", "v20240131", "oauth2", "s3", "sha256", "base64", "ipv4", "utf-8", "us-east-1", "k8s", "log4j2",
		"getUserOrdersByCustomerIdentifier", "application-configuration-management", "internationalization", "HTTPServerConfigurationResource",
		"listOauth2ClientsV2", "order_line_items", "{orderId}", ":id", "<int:pk>", "*", "facade", "decade", "x86_64", "rfc7231", "index.html", "main.js",
		"größe", "日本語", "billing.v1.InvoiceService", "ListInvoices", "@me", "app.min.js", "favicon.ico",
	} {
		if got := NormalRoute("/a/" + word + "/b"); got != "/a/"+word+"/b" {
			t.Errorf("NormalRoute of %q: %s", word, got)
		}
	}
}

func TestPartsOfPathsThatAreNoSegments(t *testing.T) {
	for in, want := range map[string]string{
		"/orders;page=2/items;x=1":     "/orders/items",
		"/orders;jsessionid=1F2E":      "/orders",
		"/things/42:cancel":            "/things/{id}:cancel",
		"/Products(42)/Name":           "/Products({id})/Name",
		"/list/1,2,3":                  "/list/{id},{id},{id}",
		"/files/42.json":               "/files/{id}.json",
		"/at/2024-01-31T10:00:00Z":     "/at/{id}",
		"/u/jane.doe@example.com":      "/u/{id}",
		"/u/jane%40example.com":        "/u/{id}",
		"/api/v1/x#top":                "/api/v1/x",
		"/ip/10.1.2.3":                 "/ip/{id}",
		"/neg/-17":                     "/neg/{id}",
		"//":                           "//",
		"/" + strings.Repeat("x", 300): "/{id}",
	} {
		if got := NormalRoute(in); got != want {
			t.Errorf("NormalRoute(%q) = %q, want %q", in, got, want)
		}
	}
}

// ids draws one thing of each kind that must not be told from another of its kind.
func ids(t *rapid.T) string {
	// Random ids are random: hashes of what is drawn.
	sum := sha256.Sum256(rapid.SliceOfN(rapid.Byte(), 8, 8).Draw(t, "bytes"))
	raw := sum[:16]
	n := rapid.Int64Range(0, 1<<53).Draw(t, "n")
	at := time.Unix(n%(1<<32), 0).UTC()
	enough := func(s string) bool {
		return strings.IndexFunc(s, func(r rune) bool { return r >= '0' && r <= '9' }) >= 0 && digitsIn(s) >= 3
	}
	switch rapid.SampledFrom([]string{"number", "signed", "uuid", "UUID", "hex", "object", "short", "date", "time", "mail", "base64", "base62", "ulid", "prefixed", "mixed", "ip"}).Draw(t, "kind") {
	case "number":
		return fmt.Sprint(n)
	case "signed":
		return fmt.Sprint(-n - 1)
	case "uuid":
		return fmt.Sprintf("%x-%x-%x-%x-%x", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:])
	case "UUID":
		return fmt.Sprintf("%X-%X-%X-%X-%X", raw[:4], raw[4:6], raw[6:8], raw[8:10], raw[10:])
	case "hex":
		return fmt.Sprintf("%x", raw[:4+n%13])
	case "object":
		return fmt.Sprintf("%024x", raw[:12])
	case "short":
		return fmt.Sprintf("%d%c%d%c%d%c%d", raw[0]%10, 'a'+raw[1]%6, raw[2]%10, 'a'+raw[3]%6, raw[4]%10, 'a'+raw[5]%6, raw[6]%10)
	case "date":
		return at.Format("2006-01-02")
	case "time":
		return at.Format(time.RFC3339)
	case "mail":
		return fmt.Sprintf("user%d@example.com", n)
	case "base64":
		if s := base64.RawURLEncoding.EncodeToString(raw); enough(s) {
			return s
		}
	case "base62":
		const digits = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
		b := make([]byte, 20)
		for i := range b {
			b[i] = digits[int(raw[i%16]^byte(i*37))%62]
		}
		if enough(string(b)) {
			return string(b)
		}
	case "ulid":
		const digits = "0123456789ABCDEFGHJKMNPQRSTVWXYZ"
		b := []byte("01")
		for i := range 24 {
			b = append(b, digits[raw[i%16]%32])
		}
		return string(b)
	case "prefixed":
		return fmt.Sprintf("%s%d", rapid.SampledFrom([]string{"order-", "INV_", "user"}).Draw(t, "prefix"), 10000+n)
	case "mixed":
		return fmt.Sprintf("%dx%dk%dq%d", raw[0]%10, 10+raw[1]%90, raw[2]%10, 10+raw[3]%90) + "ab"
	case "ip":
		return fmt.Sprintf("%d.%d.%d.%d", raw[0], raw[1], raw[2], raw[3])
	}
	return "17"
}

func digitsIn(s string) (n int) {
	for _, c := range s {
		if c >= '0' && c <= '9' {
			n++
		}
	}
	return n
}

func TestNoIDGetsThrough(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		id := ids(t)
		for _, form := range []string{"/orders/ID", "/ID", "/orders/ID/items", "/v1/ID;a=b?x=ID#ID", "/a/ID:cancel", "/a/ID.json"} {
			if strings.ContainsAny(id, ":@") && (strings.HasSuffix(form, ":cancel") || strings.HasSuffix(form, ".json")) {
				continue // times and addresses are segments of their own
			}
			if got, want := NormalRoute(strings.ReplaceAll(form, "ID", id)), NormalRoute(strings.ReplaceAll(form, "ID", "7")); got != want {
				t.Fatalf("%s with %q: %q, want %q", form, id, got, want)
			}
		}
		if got := NormalName("GET /orders/" + id); len(id) > 6 && strings.Contains(got, id) {
			t.Fatalf("NormalName: %q", got)
		}
	})
}

func TestNormalisingAPathTwiceChangesNothing(t *testing.T) {
	segment := rapid.OneOf(rapid.Custom(ids), rapid.String(), rapid.StringMatching(`[a-zA-Z0-9._~%!$&'()*+,;=:@{}-]{0,40}`))
	rapid.Check(t, func(t *rapid.T) {
		path := "/" + strings.Join(rapid.SliceOfN(segment, 0, 5).Draw(t, "segments"), "/")
		once := NormalRoute(path)
		if twice := NormalRoute(once); twice != once {
			t.Fatalf("%q -> %q -> %q", path, once, twice)
		}
		if strings.ContainsAny(once, "?#;") {
			t.Fatalf("%q keeps parameters: %q", path, once)
		}
	})
}

func FuzzRoute(f *testing.F) {
	for _, s := range []string{"/orders/42?x=1", "GET /a;b=c/{id}", "/x/2024-01-31T10:00:00Z", "/\xff\xfe/1", "v1", "a@b.c", strings.Repeat("a1", 200)} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		for _, normal := range []func(string) string{NormalRoute, NormalName} {
			once := normal(s)
			if twice := normal(once); twice != once {
				t.Fatalf("%q -> %q -> %q", s, once, twice)
			}
			if len(once) > 4*len(s)+len(idMark) {
				t.Fatalf("%q grew to %q", s, once)
			}
		}
	})
}
