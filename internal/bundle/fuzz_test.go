package bundle

import "testing"

func FuzzLoad(f *testing.F) {
	f.Add([]byte("{}"), []byte(traceLine), []byte("[]"))
	f.Add([]byte(""), []byte("{"), []byte(`[{"time":"x"}]`))
	f.Fuzz(func(t *testing.T, alert, traces, changes []byte) {
		dir := t.TempDir()
		write(t, dir, "alert.json", alert)
		write(t, dir, "incident/traces.jsonl", traces)
		write(t, dir, "incident/logs.jsonl.gz", traces)
		write(t, dir, "baseline/traces.jsonl.zst", traces)
		write(t, dir, "context/changes.json", changes)
		_, _ = Load(dir, Limits{Alert: 1 << 20, Context: 1 << 20, Telemetry: 1 << 20})
	})
}
