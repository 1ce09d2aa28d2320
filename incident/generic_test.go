package incident

import (
	"encoding/json"
	"errors"
	"reflect"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

func TestGenericBodiesAreReadByTheirMapping(t *testing.T) {
	in, err := ParseAs(Generic, fixture(t, "generic.json"), genericMapping)
	if err != nil {
		t.Fatal(err)
	}
	if in.Name != "Latency of search" || in.Service != "search" || in.Operation != "GET /search" || in.Severity != Major || in.Status != Firing || !in.StartsAt.Equal(noon) || !in.EndsAt.IsZero() {
		t.Errorf("got %+v", in)
	}
	if want := map[string]string{"service": "search", "region": "eu", "replicas": "3"}; !reflect.DeepEqual(in.Labels, want) {
		t.Errorf("labels are %v, want %v", in.Labels, want)
	}
	closed, err := ParseAs(Generic, edited(t, "generic.json", "/alert/state", "Closed", "/alert/closed", "2026-03-04 12:10:00", "/alert/title", "renamed"), genericMapping)
	if err != nil || closed.Status != Resolved || !closed.EndsAt.Equal(noon.Add(10*time.Minute)) || closed.Fingerprint != in.Fingerprint {
		t.Errorf("closed: %+v (%v)", closed, err)
	}
	other, err := ParseAs(Generic, edited(t, "generic.json", "/alert/key", "other"), genericMapping)
	if err != nil || other.Fingerprint == in.Fingerprint {
		t.Errorf("another key: %v", err)
	}
}

func TestGenericBodiesWithoutAKeyAreKnownByWhatTheySay(t *testing.T) {
	m := Mapping{"name": "/alert/title", "starts_at": "/alert/opened", "severity": "/alert/level", "labels": "/alert/tags"}
	parse := func(edits ...any) string {
		in, err := ParseAs(Generic, edited(t, "generic.json", edits...), m)
		if err != nil {
			t.Fatal(err)
		}
		return in.Fingerprint
	}
	want := parse()
	if parse("/alert/opened", "2026-03-05T00:00:00Z", "/alert/level", "SEV-1") != want {
		t.Error("time or urgency made another case")
	}
	if parse("/alert/title", "x") == want || parse("/alert/tags/region", "us") == want {
		t.Error("another name or label is the same case")
	}
}

func TestGenericErrorsNamePointerAndNextStep(t *testing.T) {
	for name, c := range map[string]struct {
		change map[string]string
		edits  []any
		want   string
	}{
		"no name":     {map[string]string{"name": "/nothing"}, nil, `no text at "/nothing", where the mapping has name`},
		"an object":   {map[string]string{"name": "/alert"}, nil, "no text at"},
		"no time":     {map[string]string{"starts_at": "/alert/closed"}, nil, "where the mapping has starts_at"},
		"odd time":    {nil, []any{"/alert/opened", "noonish"}, `"noonish" is not a time`},
		"odd end":     {nil, []any{"/alert/closed", "later"}, `ends_at at "/alert/closed"`},
		"odd labels":  {map[string]string{"labels": "/alert/opened"}, nil, "neither an object nor tags"},
		"bad pointer": {map[string]string{"name": "alert"}, nil, "is not a JSON pointer"},
		"bad escape":  {map[string]string{"name": "/a~2"}, nil, "is not a JSON pointer"},
		"typo":        {map[string]string{"nam": "/a"}, nil, "is not a field of an incident"},
	} {
		m := Mapping{}
		for k, v := range genericMapping {
			m[k] = v
		}
		for k, v := range c.change {
			m[k] = v
		}
		if _, err := ParseAs(Generic, edited(t, "generic.json", c.edits...), m); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: %v, want in it %q", name, err, c.want)
		}
	}
}

// The examples of RFC 6901, section 5.
func TestPointersAreThoseOfRFC6901(t *testing.T) {
	var doc any
	if err := json.Unmarshal([]byte(`{"foo":["bar","baz"],"":0,"a/b":1,"c%d":2,"e^f":3,"g|h":4,"i\\j":5,"k\"l":6," ":7,"m~n":8,"~1":9}`), &doc); err != nil {
		t.Fatal(err)
	}
	for pointer, want := range map[string]any{"/foo/0": "bar", "/": 0.0, "/a~1b": 1.0, "/c%d": 2.0, "/e^f": 3.0, "/g|h": 4.0, "/i\\j": 5.0, "/k\"l": 6.0, "/ ": 7.0, "/m~0n": 8.0, "/~01": 9.0} {
		if got, ok := lookup(doc, pointer); !ok || got != want {
			t.Errorf("%q is %v (%v), want %v", pointer, got, ok, want)
		}
	}
	if got, ok := lookup(doc, ""); !ok || !reflect.DeepEqual(got, doc) {
		t.Error("the empty pointer is not the document")
	}
	for _, pointer := range []string{"foo", "/foo/2", "/foo/-", "/foo/00", "/foo/+1", "/foo/0/x", "/none", "/~", "/~2", "/a/~"} {
		if got, ok := lookup(doc, pointer); ok {
			t.Errorf("%q is %v", pointer, got)
		}
	}
}

func TestMomentsInEveryUsualForm(t *testing.T) {
	half := noon.Add(500 * time.Millisecond)
	for _, c := range []struct {
		v    any
		want time.Time
	}{
		{"2026-03-04T12:00:00Z", noon}, {"2026-03-04T13:00:00+01:00", noon}, {"2026-03-04T12:00:00.500Z", half}, {"2026-03-04T13:00:00+0100", noon}, {"2026-03-04 12:00:00 UTC", noon},
		{"2026-03-04 12:00:00", noon}, {"2026-03-04T12:00:00", noon}, {"Wed, 04 Mar 2026 12:00:00 GMT", noon}, {json.Number("1772625600"), noon}, {"1772625600", noon},
		{"1772625600.5", half}, {json.Number("1772625600500"), half}, {"1772625600500000", half}, {json.Number("1772625600500000000"), half}, {1772625600.0, noon}, {json.Number("1.7726256e9"), noon},
		{nil, time.Time{}}, {"", time.Time{}}, {"0", time.Time{}}, {"0001-01-01T00:00:00Z", time.Time{}}, {map[string]any{}, time.Time{}},
	} {
		if got, err := moment(c.v); err != nil || !got.Equal(c.want) {
			t.Errorf("%v is %v (%v), want %v", c.v, got, err, c.want)
		}
	}
	for _, v := range []any{"yesterday", "-1", "NaN", "Inf", "1e30", "0x1p40", "9999-12-31T23:59:59-23:59", "12:00", "1", strings.Repeat("9", 400)} {
		if got, err := moment(v); err == nil {
			t.Errorf("%v is %v", v, got)
		} else if len(err.Error()) > 200 {
			t.Errorf("the error is of %d bytes", len(err.Error()))
		}
	}
}

// The unit does not matter: one moment in four units is one moment.
func TestUnitsOfUnixTimesAreToldApart(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		at := time.Unix(rapid.Int64Range(time.Date(1990, 1, 1, 0, 0, 0, 0, time.UTC).Unix(), time.Date(2150, 1, 1, 0, 0, 0, 0, time.UTC).Unix()).Draw(t, "seconds"), 0).UTC()
		for _, n := range []int64{at.Unix(), at.UnixMilli(), at.UnixMicro(), at.UnixNano()} {
			written, err := json.Marshal(n)
			if err != nil {
				t.Fatal(err)
			}
			got, err := moment(json.Number(written))
			if err != nil || got.Sub(at).Abs() > time.Microsecond {
				t.Fatalf("%s is %v (%v), want %v", written, got, err, at)
			}
		}
	})
}

// --- the envelope

// What is enclosed is read alone as it was read with its format and mapping.
func TestEnclosedBodiesAreReadAlone(t *testing.T) {
	for name, c := range map[string]struct {
		format  string
		body    []byte
		m       Mapping
		asItWas bool
	}{
		"generic":                         {Generic, fixture(t, "generic.json"), genericMapping, false},
		"lenient Datadog":                 {Datadog, []byte(`{"alertId":"5","date":"1772625600000","note":"<b>&\u2028"}`), nil, false},
		"Datadog":                         {Datadog, fixture(t, "datadog-triggered.json"), nil, true},
		"Grafana":                         {Grafana, fixture(t, "grafana-firing.json"), nil, true},
		"generic that looks like Grafana": {Generic, fixture(t, "grafana-firing.json"), Mapping{"name": "/title", "starts_at": "/alerts/0/startsAt"}, false},
	} {
		want, err := ParseAs(c.format, c.body, c.m)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		kept := Enclose(c.format, c.body, c.m)
		if (string(kept) == string(c.body)) != c.asItWas {
			t.Errorf("%s: kept as %s", name, kept)
		}
		for how, read := range map[string]func() (Incident, error){
			"alone":               func() (Incident, error) { return Parse(kept) },
			"with format":         func() (Incident, error) { return ParseAs(c.format, kept, nil) },
			"with mapping":        func() (Incident, error) { return ParseAs(c.format, kept, c.m) },
			"enclosed once again": func() (Incident, error) { return Parse(Enclose(c.format, kept, c.m)) },
		} {
			if got, err := read(); err != nil || !reflect.DeepEqual(got, want) {
				t.Errorf("%s, %s: %+v (%v), want %+v", name, how, got, err, want)
			}
		}
	}
}

func TestAnEnvelopeMayBeWrittenByHand(t *testing.T) {
	in, err := Parse([]byte(`
{ "remediator_alert" : 1, "format": "generic", "mapping": {"name": "/n", "starts_at": "/t"}, "body": {"n": "Slow", "t": 1772625600}}`))
	if err != nil || in.Name != "Slow" || !in.StartsAt.Equal(noon) {
		t.Errorf("%+v (%v)", in, err)
	}
}

func TestEnvelopesThatAreWrong(t *testing.T) {
	for body, want := range map[string]string{
		`{"remediator_alert":2,"format":"generic","body":"{}"}`:                                          "version 1 is read",
		`{"remediator_alert":1,"format":"nagios","body":"{}"}`:                                           "unknown format",
		`{"remediator_alert":1,"format":"generic","body":"{}"}`:                                          "needs a mapping",
		`{"remediator_alert":1,"format":"generic","mapping":{"name":"x","starts_at":"/t"},"body":"{}"}`:  "not a JSON pointer",
		`{"remediator_alert":1,"format":"grafana","body":"{\"remediator_alert\":1}"}`:                    "enclosed twice",
		`{"remediator_alert":1,"format":"grafana"}`:                                                      "empty",
		`{"remediator_alert":1,"format":"grafana","body":`:                                               "ends early",
		`{"remediator_alert":1,"format":"generic","mapping":{"name":"/n","starts_at":"/t"},"body":"[]"}`: "JSON object belongs",
	} {
		if in, err := Parse([]byte(body)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %+v (%v), want in it %q", body, in, err, want)
		}
	}
	// A sender must not choose another mapping, or another format, than the configuration has.
	kept := Enclose(Generic, fixture(t, "generic.json"), genericMapping)
	if _, err := ParseAs(Alertmanager, kept, nil); err == nil {
		t.Error("an envelope changed the format of its source")
	}
	if _, err := ParseAs(Generic, kept, Mapping{"name": "/type", "starts_at": "/alert/opened"}); err == nil {
		t.Error("an envelope changed the mapping of its source")
	}
}

func TestATimeOutsideOfReasonIsNoTime(t *testing.T) {
	b := sample()
	b.Alerts[0].StartsAt = time.Date(9999, 12, 31, 23, 59, 59, 0, time.FixedZone("", -23*3600))
	raw, err := json.Marshal(b)
	if err != nil {
		t.Fatal(err)
	}
	if in, err := Parse(raw); err == nil {
		t.Errorf("%+v cannot be written as JSON", in)
	}
}

// whole says what is missing of an incident; "" if nothing is.
func whole(in Incident) error {
	switch {
	case len(in.Fingerprint) != 32 || len(in.Digest) != 64:
		return errors.New("fingerprint or digest is missing")
	case in.Severity == "" || in.Status == "" || in.Source == "":
		return errors.New("half an incident")
	case !plausible(in.StartsAt) || in.Truncated < 0 || in.Alerts < 1:
		return errors.New("odd numbers or times")
	case in.Status == Firing && !in.EndsAt.IsZero():
		return errors.New("it fires and has ended")
	case len(in.Name) > maxName+len("…") || len(in.Service) > maxText+len("…") || len(in.Operation) > maxText+len("…") || len(in.Labels) > maxLabels || len(in.Annotations) > maxLabels:
		return errors.New("unbounded text")
	}
	_, err := json.Marshal(in)
	return err
}

// Each format by its own target, since a fuzzer does not find four formats from one.
func FuzzParseAs(f *testing.F) {
	for _, name := range []string{"grafana-firing.json", "grafana-test-button.json", "pagerduty-triggered.json", "pagerduty-ping.json", "pagerduty-annotated.json",
		"datadog-triggered.json", "datadog-default.json", "generic.json"} {
		for _, format := range formats {
			f.Add(format, fixture(f, name))
		}
	}
	f.Fuzz(func(t *testing.T, format string, data []byte) { fuzzed(t, format, data) })
}

func FuzzGrafana(f *testing.F) {
	fuzzFormat(f, Grafana, "grafana-firing.json", "grafana-test-button.json")
}
func FuzzPagerDuty(f *testing.F) {
	fuzzFormat(f, PagerDuty, "pagerduty-triggered.json", "pagerduty-annotated.json")
}
func FuzzDatadog(f *testing.F) {
	fuzzFormat(f, Datadog, "datadog-triggered.json", "datadog-default.json")
}
func FuzzGeneric(f *testing.F) { fuzzFormat(f, Generic, "generic.json") }

func fuzzFormat(f *testing.F, format string, names ...string) {
	for _, name := range names {
		f.Add(fixture(f, name))
	}
	f.Fuzz(func(t *testing.T, data []byte) { fuzzed(t, format, data) })
}

// fuzzed checks what holds of every body: it is refused in few words, or makes a whole incident, which is the same
// once it was enclosed.
func fuzzed(t *testing.T, format string, data []byte) {
	in, err := ParseAs(format, data, genericMapping)
	if err != nil {
		if len(err.Error()) > 1000 {
			t.Fatalf("an error of %d bytes", len(err.Error()))
		}
		return
	}
	if err := whole(in); err != nil {
		t.Fatalf("%v: %+v", err, in)
	}
	again, err := Parse(Enclose(format, data, genericMapping))
	if err != nil || !reflect.DeepEqual(again, in) {
		t.Fatalf("enclosed it is %+v (%v), and was %+v", again, err, in)
	}
}

func FuzzPointer(f *testing.F) {
	f.Add("/a~1b/~0/1")
	f.Add("/~01")
	f.Fuzz(func(t *testing.T, pointer string) {
		parts, err := splitPointer(pointer)
		if err != nil {
			return
		}
		var again strings.Builder
		for _, part := range parts {
			again.WriteString("/" + strings.ReplaceAll(strings.ReplaceAll(part, "~", "~0"), "/", "~1"))
		}
		if again.String() != pointer {
			t.Fatalf("%q became %q", pointer, again.String())
		}
	})
}
