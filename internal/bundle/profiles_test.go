package bundle

import (
	"bytes"
	"fmt"
	"runtime/pprof"
	"strings"
	"testing"

	"github.com/remediator/remediator/telemetry"
)

func someProfile(t *testing.T) []byte {
	t.Helper()
	var b bytes.Buffer
	if err := pprof.Lookup("goroutine").WriteTo(&b, 0); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestProfilesAreReadByService(t *testing.T) {
	data := someProfile(t)
	dir := t.TempDir()
	write(t, dir, "incident/traces.jsonl", []byte(traceLine))
	for _, name := range []string{"cart.cpu.pb.gz", "cart.heap.20260101.pb.gz", "shop.api.pprof", "pay.mutex.pprof.zst"} {
		packed := data
		if strings.HasSuffix(name, ".zst") {
			packed = zst(t, data)
		}
		write(t, dir, "incident/profiles/"+name, packed)
	}
	write(t, dir, "baseline/profiles/cart.cpu.pb.gz", data)
	write(t, dir, "baseline/profiles/README", []byte("not a profile"))
	b, err := Load(dir, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range b.Evidence.Incident.Profiles {
		got = append(got, p.Resource.Service)
	}
	if fmt.Sprint(got) != "[cart cart pay shop.api]" {
		t.Errorf("services %v", got)
	}
	if len(b.Evidence.Baseline.Profiles) != 1 {
		t.Errorf("%d baseline profiles", len(b.Evidence.Baseline.Profiles))
	}
}

// A directory with profiles and nothing else is evidence too.
func TestProfilesAloneAreTelemetry(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "incident/profiles/cart.cpu.pb.gz", someProfile(t))
	if _, err := Load(dir, Limits{}); err != nil {
		t.Error(err)
	}
}

func TestBadProfilesAreNamed(t *testing.T) {
	for name, c := range map[string]struct {
		data   []byte
		limits Limits
		want   string
	}{
		"text":  {[]byte("goroutine profile: total 1\n"), Limits{}, "go tool pprof -proto"},
		"large": {bytes.Repeat([]byte{0}, 5000), Limits{Profile: 4096}, "larger than"},
		"bomb":  {gz(t, make([]byte, 2<<20)), Limits{Reader: telemetry.Limits{Profile: 1 << 20}}, "larger than"},
	} {
		dir := t.TempDir()
		write(t, dir, "incident/profiles/cart.cpu.pb", c.data)
		_, err := Load(dir, c.limits)
		if err == nil || !strings.Contains(err.Error(), c.want) || !strings.Contains(err.Error(), "cart.cpu") {
			t.Errorf("%s: error %v, want one with %q", name, err, c.want)
		}
	}
}

// Profiles may lie beside the other telemetry; what is named after a signal is that signal.
func TestProfilesBesideTheOtherTelemetry(t *testing.T) {
	dir := t.TempDir()
	write(t, dir, "incident/cart.cpu.pb.gz", someProfile(t))
	write(t, dir, "incident/mail.pprof", someProfile(t))
	write(t, dir, "incident/profiles/stock.pprof", someProfile(t))
	b, err := Load(dir, Limits{})
	if err != nil {
		t.Fatal(err)
	}
	services := map[string]bool{}
	for _, p := range b.Evidence.Incident.Profiles {
		services[p.Resource.Service] = true
	}
	if len(services) != 3 || !services["cart"] || !services["mail"] || !services["stock"] {
		t.Errorf("profiles of %v", services)
	}
	for name, want := range map[string]bool{"traces.pb": true, "logs-2.pb.gz": true, "metrics.pprof": true, "tracesmith.pb": false, "cart.pb": false, "traces": false} {
		if isSignal(name) != want {
			t.Errorf("%s: %v", name, !want)
		}
	}
}
