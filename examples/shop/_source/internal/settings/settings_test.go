package settings

import (
	"os"
	"path/filepath"
	"testing"
	"time"
)

func TestLoad(t *testing.T) {
	for name, c := range map[string]struct {
		text string
		want time.Duration
		ok   bool
	}{
		"duration":      {`{"timeout":"250ms"}`, 250 * time.Millisecond, true},
		"number":        {`{"timeout":250}`, 0, false},
		"negative":      {`{"timeout":"-1s"}`, 0, false},
		"misspelt":      {`{"timeuot":"1s"}`, 0, false},
		"not a setting": {`[]`, 0, false},
	} {
		t.Run(name, func(t *testing.T) {
			path := filepath.Join(t.TempDir(), "settings.json")
			if err := os.WriteFile(path, []byte(c.text), 0o600); err != nil {
				t.Fatal(err)
			}
			var got struct {
				Timeout Duration `json:"timeout"`
			}
			err := Load(path, &got)
			if (err == nil) != c.ok || time.Duration(got.Timeout) != c.want {
				t.Errorf("Load = %v, %v", time.Duration(got.Timeout), err)
			}
		})
	}
}

func TestLoadNamesAMissingFile(t *testing.T) {
	if err := Load(filepath.Join(t.TempDir(), "absent.json"), &struct{}{}); err == nil {
		t.Error("a missing file was accepted")
	}
}
