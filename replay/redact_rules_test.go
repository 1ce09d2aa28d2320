package replay

import (
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestEveryTextRule(t *testing.T) {
	tests := []struct{ name, in, want string }{
		{"PKCS #8 key", "-----BEGIN PRIVATE KEY-----\nAA\nBB\n-----END PRIVATE KEY-----\nrest", "redacted-private-key-1\nrest"},
		{"two keys", "-----BEGIN EC PRIVATE KEY-----a-----END EC PRIVATE KEY----- and -----BEGIN EC PRIVATE KEY-----b-----END EC PRIVATE KEY-----", "redacted-private-key-1 and redacted-private-key-2"},
		{"public key", "-----BEGIN PUBLIC KEY-----\nAA\n-----END PUBLIC KEY-----", "-----BEGIN PUBLIC KEY-----\nAA\n-----END PUBLIC KEY-----"},

		{"jwt without signature", "eyJhbGciOiJI.eyJzdWIiOiIx.", "redacted-jwt-1"},
		{"two parts are none", "eyJhbGciOiJI.eyJz", "eyJhbGciOiJI.eyJz"},

		{"basic", "basic dXNlcjpwYXNz", "Bearer redacted-1"},
		{"upper case", "BEARER abcdefgh12345", "Bearer redacted-1"},
		{"a word", "the bearer is here", "the bearer is here"},
		{"basic English", "a basic explanation", "a Bearer redacted-1"}, // rather one word too many than a password too few

		{"GitHub", "ghs_" + strings.Repeat("a1", 18), "redacted-token-1"},
		{"GitHub, fine grained", "github_pat_" + strings.Repeat("a1", 20), "redacted-token-1"},
		{"GitLab", "glpat-abcdefghijklmnop1234", "redacted-token-1"},
		{"Slack", "xoxb-1234567890-abc", "redacted-token-1"},
		{"Stripe", "sk_live_abcdefghijklmn", "redacted-token-1"},
		{"Google", "AIza" + strings.Repeat("x", 35), "redacted-token-1"},
		{"too short", "ghp_short", "ghp_short"},
		{"inside a word", "xghp_" + strings.Repeat("a1", 18), "xghp_" + strings.Repeat("a1", 18)},

		{"parameter", "GET /cb?code=1&access_token=s3cr3t&x=2", "GET /cb?code=1&access_token=redacted-1&x=2"},
		{"parameter at the end", "https://h/p?api_key=k", "https://h/p?api_key=redacted-1"},
		{"parameter and fragment", "https://h/p?token=k#part", "https://h/p?token=redacted-1#part"},
		{"parameter in upper case", "/x?PASSWORD=p", "/x?PASSWORD=redacted-1"},
		{"no value", "/x?token=&y=1", "/x?token=&y=1"},
		{"no parameter", "token=abc", "token=abc"},
		{"other parameter", "/x?tokens=5", "/x?tokens=5"},

		{"JSON in text", `got {"password": "hunter2","n":1}`, `got {"password": "redacted-1","n":1}`},
		{"JSON that is cut off", `{"client_secret":"abc`, `{"client_secret":"redacted-1`},

		{"address with a plus", "bob+shop@corp.io", "person-1@example.com"},
		{"address in brackets", "<bob@corp.io>,", "<person-1@example.com>,"},
		{"two addresses", "a@corp.io b@corp.io a@corp.io", "person-1@example.com person-2@example.com person-1@example.com"},
		{"a stand-in stays", "person-7@example.com", "person-7@example.com"},
		{"sub domain of a reserved one", "x@mail.example.net", "x@mail.example.net"},
		{"lookalike of a reserved one", "x@notexample.com", "person-1@example.com"},
		{"no domain", "bob@host", "bob@host"},
		{"a handle", "@bob", "@bob"},

		{"card with dashes", "5500-0055-5555-5559", "4000-0000-0000-1000"},
		{"Amex", "378282246310005", "400000000100003"},
		{"wrong check digit", "4111111111111112", "4111111111111112"},
		{"another network", "1111111111111117", "1111111111111117"},
		{"too short for a card", "411111111111", "411111111111"},
		{"nanoseconds", "1767323045123456789", "1767323045123456789"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			r := NewRedactor()
			got := r.Text(tt.in)
			if strings.HasPrefix(tt.name, "card") || tt.name == "Amex" {
				if got == tt.in || luhn(onlyDigits(got)) != 0 || len(got) != len(tt.in) || strings.Count(got, "-") != strings.Count(tt.in, "-") {
					t.Errorf("%q is no other card number of this form", got)
				}
				return
			}
			if got != tt.want {
				t.Errorf("%q, want %q", got, tt.want)
			}
			if again := r.Text(tt.in); again != got {
				t.Errorf("the second time it is %q", again)
			}
		})
	}
}

func TestFieldNamesThatAreSecrets(t *testing.T) {
	for name, want := range map[string]bool{
		"password": true, "Password": true, "passwd": true, "passphrase": true, "pass": true, "new_password": true, "passwordConfirmation": true, "user.password": true, "db-password": true,
		"secret": true, "client_secret": true, "clientSecret": true, "client-secret": true,
		"token": true, "access_token": true, "accessToken": true, "refresh-token": true, "id_token": true, "sessionToken": true,
		"api_key": true, "apiKey": true, "privateKey": true, "cvv": true, "CVV2": true, "cvc": true, "ssn": true, "iban": true, "pin": true, "authorization": true, "cookie": true,
		"": false, "tokens": false, "next_page_token": false, "spin": false, "pinned": false, "passenger": false, "compass": false, "secretary": false, "idempotency_key": false, "key": false, "name": false, "cookies": false,
	} {
		if got := secretFields.MatchString(name); got != want {
			t.Errorf("%s: %v", name, got)
		}
	}
}

func TestBodiesAreRedactedByFieldAndByText(t *testing.T) {
	tests := []struct{ name, contentType, in, want string }{
		{"text members", "application/json", `{"pin":"4711","password":"x","n":"4711"}`, `{"n":"4711","password":"redacted-1","pin":"0002"}`},
		{"number members", "application/json", `{"pin":4711,"cvv":12,"n":4711}`, `{"cvv":11,"n":4711,"pin":1002}`},
		{"a fraction is no PIN", "application/json", `{"pin":-1.5}`, `{"pin":-1.5}`},
		{"neither true nor null", "application/json", `{"token":null,"secret":true}`, `{"secret":true,"token":null}`},
		{"what a secret member holds", "application/json", `{"secret":{"password":"x"}}`, `{"secret":{"password":"redacted-1"}}`},
		{"keys", "application/json", `{"bob@corp.io":1}`, `{"person-1@example.com":1}`},
		{"elements", "application/json", `["bob@corp.io",["bob@corp.io"]]`, `["person-1@example.com",["person-1@example.com"]]`},
		{"JSON in JSON", "application/json", `{"raw":"{\"password\":\"x\"}"}`, `{"raw":"{\"password\":\"redacted-1\"}"}`},
		{"URL in JSON", "application/json", `{"next":"https://h/p?token=x"}`, `{"next":"https://h/p?token=redacted-1"}`},
		{"cut off", "application/json", `{"password":"x`, `"data:text/plain,{\"password\":\"redacted-1"`},
		{"form", "application/x-www-form-urlencoded; charset=utf-8", "user=bob%40corp.io&password=x&page=2", `"user=person-1%40example.com&password=redacted-1&page=2"`},
		{"form by another name", " Application/X-WWW-Form-Urlencoded", "password=x", `"password=redacted-1"`},
		{"text", "text/plain", "write to bob@corp.io", `"write to person-1@example.com"`},
		{"nothing", "text/plain", "", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			if got := NewRedactor().keep([]byte(tt.in), tt.contentType); string(got) != tt.want {
				t.Errorf("%s, want %s", got, tt.want)
			}
		})
	}
	if got := (*Redactor)(nil).keep([]byte("bob@corp.io"), "text/plain"); string(got) != `"bob@corp.io"` {
		t.Errorf("without a redactor: %s", got)
	}
}

// Bytes become base64, in which nobody would see an address.
func TestBytesAreRedactedBeforeTheyAreEncoded(t *testing.T) {
	kept := NewRedactor().keep([]byte("\xff\x00 bob@corp.io \xfe"), "application/octet-stream")
	wire := string(wireBody(kept, ""))
	if strings.Contains(wire, "corp.io") || !strings.HasPrefix(wire, "\xff\x00 person-1@example.com") {
		t.Errorf("%q", wire)
	}
}

func TestHeadersThatIdentifyAreReplaced(t *testing.T) {
	r := NewRedactor()
	h := http.Header{"Authorization": {"Bearer abc"}, "Set-Cookie": {"a=1", "b=2"}, "X-Api-Key": {"k"}, "Location": {"/cb?token=x&page=1"}, "X-Note": {"bob@corp.io"}, "Content-Type": {"text/plain"}, "Date": {"now"}}
	got := keepHeaders(h, responseNoise, r)
	for name, want := range map[string]string{"authorization": "redacted-header-", "set-cookie": "redacted-header-", "x-api-key": "redacted-header-", "location": "/cb?token=redacted-", "x-note": "person-1@example.com", "content-type": "text/plain"} {
		if !strings.HasPrefix(got[name], want) {
			t.Errorf("%s: %q", name, got[name])
		}
	}
	if _, ok := got["date"]; ok || len(got) != 6 || !strings.HasSuffix(got["location"], "&page=1") {
		t.Errorf("%q", got)
	}
	if keepHeaders(http.Header{"Date": {"x"}}, responseNoise, r) != nil {
		t.Error("noise alone is kept")
	}
	if got := (*Redactor)(nil).Header("Authorization", "x"); got != "x" {
		t.Errorf("without a redactor: %q", got)
	}
}

func TestQueriesAreRedactedByNameAndText(t *testing.T) {
	for in, want := range map[string]string{
		"":                               "",
		"a":                              "a",
		"token":                          "token",
		"token=":                         "token=",
		"password=x&password=x&b=2":      "password=redacted-1&password=redacted-1&b=2",
		"q=bob%40corp.io":                "q=person-1%40example.com",
		"q=bob@corp.io":                  "q=person-1%40example.com",
		"q=a%20b":                        "q=a%20b",
		"q=%zz&token=x":                  "q=%zz&token=redacted-1",
		"card=4111%201111%201111%201111": "",
	} {
		got := NewRedactor().Query(in)
		if want == "" && in != "" {
			if strings.Contains(got, "1111") && strings.Contains(got, "4111") {
				t.Errorf("%s became %s", in, got)
			}
			continue
		}
		if got != want {
			t.Errorf("%s became %s, want %s", in, got, want)
		}
	}
}

// The same secret has the same stand-in wherever it stands, or exchanges that belong together come apart.
func TestOneSecretHasOneStandIn(t *testing.T) {
	r := NewRedactor()
	query := r.Query("token=s3cr3t")
	text := r.Text("/x?token=s3cr3t")
	body := string(r.Body(json.RawMessage(`{"access_token":"s3cr3t"}`)))
	if query != "token=redacted-1" || text != "/x?token=redacted-1" || body != `{"access_token":"redacted-1"}` {
		t.Errorf("%s, %s and %s", query, text, body)
	}
}

func TestNoSecretIsLeftInAnyBody(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		secret := rapid.StringMatching(`zq[a-z]{6}`).Draw(t, "secret")
		address := secret + "@corp.io"
		doc := drawValue(t, 2)
		places := []any{
			map[string]any{"password": secret, "doc": doc}, map[string]any{"to": address, "doc": doc}, []any{doc, "mail " + address},
			map[string]any{"deep": []any{map[string]any{"api_key": secret}}}, map[string]any{"url": "https://h/?token=" + secret}, map[string]any{address: doc},
		}
		raw, err := canonicalJSON(rapid.SampledFrom(places).Draw(t, "place"))
		if err != nil {
			t.Fatal(err)
		}
		r := NewRedactor()
		got := r.Body(raw)
		if strings.Contains(string(got), secret) {
			t.Fatalf("%s became %s", raw, got)
		}
		if again := r.Body(raw); string(again) != string(got) {
			t.Fatalf("the second time it is %s", again)
		}
		if !json.Valid(got) {
			t.Fatalf("%s is no JSON", got)
		}
	})
}

func TestRedactionIsLinear(t *testing.T) {
	for name, text := range map[string]string{
		"at signs": strings.Repeat("a@", 1<<17), "dots": "a@" + strings.Repeat("b.", 1<<17), "digits": strings.Repeat("4", 1<<18), "digits and blanks": strings.Repeat("4 ", 1<<17),
		"keys that never end": strings.Repeat("-----BEGIN PRIVATE KEY-----", 1<<12), "ey": strings.Repeat("eyJ", 1<<16), "quotes": strings.Repeat(`"token":"`, 1<<14), "parameters": strings.Repeat("?token=", 1<<14),
	} {
		if got := NewRedactor().Text(text); got == "" {
			t.Errorf("%s: everything is gone", name)
		}
	}
}

func TestRedactionIdentifiesItsRules(t *testing.T) {
	a := NewRedactor().Redaction()
	if a != NewRedactor().Redaction() || a.Ruleset == "" || len(a.Digest) != len("sha256:")+64 {
		t.Errorf("%+v", a)
	}
	seen := map[string]bool{a.Digest: true}
	for _, finders := range [][]Finder{{wordFinder("a")}, {wordFinder("b")}, {wordFinder("a"), wordFinder("b")}, {wordFinder("b"), wordFinder("a")}} {
		d := NewRedactor(finders...).Redaction().Digest
		if seen[d] {
			t.Errorf("%v has the digest of other rules", finders)
		}
		seen[d] = true
	}
}

func TestFindersCannotUndoStandIns(t *testing.T) {
	r := NewRedactor(wordFinder("redacted-"), wordFinder(""))
	if got := r.Text("token ghp_" + strings.Repeat("a1", 18)); got != "token redacted-token-1" {
		t.Errorf("%q", got)
	}
}

func TestRedactedValuesAreComparedByWhatIsLeft(t *testing.T) {
	tests := []struct {
		recorded, replayed any
		want               bool
	}{
		{"redacted-1", "anything", true},
		{"redacted-1", "", false},
		{"Bearer redacted-3", "Bearer redacted-1", true},
		{"Bearer redacted-3", "Basic x", false},
		{"user redacted-token-1: ok", "user xyz: ok", true},
		{"user redacted-token-1: ok", "user xyz: failed", false}, // what stands around a secret still counts
		{"redacted-1 and redacted-2", "a and b", true},
		{"redacted-1 and redacted-2", "a or b", false},
		{"a+b(redacted-1", "a+b(x", true},
		{"redacted-private-key-1", "line\nline", true},
		{"redacted-by-hand", "something else", false}, // a word of the service, no stand-in
		{"card 4000 0000 0000 0002", "card 4111 1111 1111 1111", true},
		{"card 4000 0000 0000 0002", "card none", false},
		{json.Number("4000000000001000"), json.Number("4111111111111111"), true},
		{json.Number("4000000000001000"), "4111111111111111", false},
		{"person-1@example.com", "person-2@example.com", true},
		{"person-1@example.com", "nobody", false},
		{nil, nil, false},
	}
	for _, tt := range tests {
		if got := sameRedacted(tt.recorded, tt.replayed); got != tt.want {
			t.Errorf("%v and %v: %v", tt.recorded, tt.replayed, got)
		}
	}
}

func TestShortSecretsOfASecretFieldAreTheSame(t *testing.T) {
	for _, tt := range []struct {
		at   pointer
		a, b any
		want bool
	}{
		{pointer{"pin"}, "0001", "0002", true},
		{pointer{"card", "cvv"}, json.Number("101"), json.Number("102"), true},
		{pointer{"pin"}, "0001", "002", false},
		{pointer{"pin"}, "0001", "abcd", false},
		{pointer{"pin"}, "0001", json.Number("1002"), false},
		{pointer{"pin"}, "", "", false},
		{pointer{"amount"}, "0001", "0002", false},
		{nil, "0001", "0002", false},
	} {
		if got := sameSecretField(tt.at, tt.a, tt.b); got != tt.want {
			t.Errorf("%s %v %v: %v", tt.at, tt.a, tt.b, got)
		}
	}
	c := &Case{ID: "c", Response: Response{Status: 200, Body: json.RawMessage(`{"pin":"0003","sum":"0003"}`)}}
	o := observedAs(c)
	o.Response.Body = json.RawMessage(`{"pin":"0001","sum":"0001"}`)
	if got := fmt.Sprint(lines(Compare(c, o))); got != "[body changed /sum]" {
		t.Error(got)
	}
}

func TestStandInsKeepTheirForm(t *testing.T) {
	for _, tt := range []struct{ secret, text, number string }{{"1", "7", "8"}, {"12", "07", "17"}, {"4711", "0007", "1007"}, {"123456789012", "000000000007", "100000000007"}} {
		if got := fieldStandIn(tt.secret, 7); got != tt.text {
			t.Errorf("%s as text: %s", tt.secret, got)
		}
		if got := numberStandIn(tt.secret, 7); got != tt.number || !json.Valid([]byte(got)) {
			t.Errorf("%s as number: %s", tt.secret, got)
		}
	}
	if got := fieldStandIn("hunter2", 7); got != "redacted-7" {
		t.Error(got)
	}
	if got := numberStandIn(strings.Repeat("9", 400), 7); len(got) != 18 {
		t.Error(got)
	}
}
