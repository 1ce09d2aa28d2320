package otlp

import (
	"context"
	"os/exec"
	"path/filepath"
	"testing"
	"time"
)

// python finds an interpreter with a module: the first of the path, or the one that examples/shop/python-env makes.
func python(t *testing.T, module string) string {
	t.Helper()
	for _, path := range []string{"python", "python3", filepath.Join("..", "..", "examples", "shop", ".venv", "bin", "python"), filepath.Join("..", "..", "out", "python", "bin", "python")} {
		found, err := exec.LookPath(path)
		if err == nil && exec.Command(found, "-c", "import "+module).Run() == nil {
			return found
		}
	}
	t.Skipf("no Python with %s: run examples/shop/python-env and put the directory that it names on the path", module)
	return ""
}

// TestPythonSDK: what the OpenTelemetry SDK for Python sends over either transport comes out as evidence.
func TestPythonSDK(t *testing.T) {
	for how, module := range map[string]string{"http": "opentelemetry.exporter.otlp.proto.http", "grpc": "opentelemetry.exporter.otlp.proto.grpc"} {
		t.Run(how, func(t *testing.T) {
			interpreter := python(t, module)
			ring := newRing(time.Now)
			r := newReceiver(t, ring, func(o *Options) { o.Now = time.Now; o.Token = func() string { return "let me in" } })
			at := serve(t, r)
			addr := at.http
			if how == "grpc" {
				addr = at.grpc
			}
			begun := time.Now()
			ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
			defer cancel()
			out, err := exec.CommandContext(ctx, interpreter, filepath.Join("testdata", "till.py"), how, addr, "let me in", "30").CombinedOutput()
			if err != nil {
				t.Fatalf("%v\n%s", err, out)
			}
			w, err := NewWindow(ring, WindowOptions{Now: time.Now})
			if err != nil {
				t.Fatal(err)
			}
			ev, err := w.Evidence(context.Background(), begun, Draw{})
			if err != nil {
				t.Fatal(err)
			}
			checkTill(t, ev, 30)
		})
	}
}
