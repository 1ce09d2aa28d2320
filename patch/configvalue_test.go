package patch

import (
	"bytes"
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"pgregory.net/rapid"

	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/localize"
)

// configCase is a change of configuration and what the recipe makes of it.
type configCase struct {
	file    string
	before  string
	after   string // what the culprit made of it; the base
	base    string // the base, when later commits touched it
	pattern localize.PatternKind
	want    string // the base after the recipe
	left    string
}

func (c configCase) input() *Input {
	diff := Diff([]FileEdit{{Path: c.file, Mode: 0o100644, Old: []byte(c.before), New: []byte(c.after)}})
	_, hunks, _ := strings.Cut(diff, "\n@@ ")
	base := c.base
	if base == "" {
		base = c.after
	}
	s := localize.Suspect{Service: "pay", Culprit: "1234567890"}
	if c.pattern != "" {
		s.Patterns = []localize.Pattern{{Kind: c.pattern}}
	}
	return &Input{
		Base:     fstest.MapFS{c.file: {Data: []byte(base)}},
		Suspects: []localize.Suspect{s},
		Changes:  []localize.Change{{SHA: "1234567890", Service: "pay", Message: "tune", Files: []localize.ChangedFile{{Path: c.file, Patch: "@@ " + hunks}}}},
		Allowed:  Rungs(),
	}
}

func TestConfigValuePutsBackOneKey(t *testing.T) {
	for name, c := range map[string]configCase{
		"yaml keeps comments, units and the rest": {
			file:   "pay/config.yaml",
			before: "bank:\n  url: http://bank:80\n  timeout: 2s   # see runbook\n  retries: 3\n",
			after:  "bank:\n  url: http://bank:80\n  timeout: 20ms   # see runbook\n  retries: 3\n  verbose: true\n",
			want:   "bank:\n  url: http://bank:80\n  timeout: 2s   # see runbook\n  retries: 3\n  verbose: true\n",
		},
		"yaml in flow style with quotes": {
			file:   "pay/config.yml",
			before: "db: {pool: '10', host: \"db\"}\n---\nx: 1\n",
			after:  "db: {pool: '1', host: \"db\"}\n---\nx: 1\n",
			want:   "db: {pool: '10', host: \"db\"}\n---\nx: 1\n",
		},
		"yaml with carriage returns and umlauts": {
			file:   "pay/config.yaml",
			before: "größe: ä # ö\r\nlimit: 100 # é\r\n",
			after:  "größe: ä # ö\r\nlimit: 1 # é\r\n",
			want:   "größe: ä # ö\r\nlimit: 100 # é\r\n",
		},
		"environment of a container": {
			file:   "deploy/pay.yaml",
			before: "kind: Deployment\nspec:\n  containers:\n  - name: pay\n    env:\n    - name: HTTP_TIMEOUT\n      value: \"2000\"\n    - name: MODE\n      value: a\n",
			after:  "kind: Deployment\nspec:\n  containers:\n  - name: pay\n    env:\n    - name: HTTP_TIMEOUT\n      value: \"20\"\n    - name: MODE\n      value: a\n",
			want:   "kind: Deployment\nspec:\n  containers:\n  - name: pay\n    env:\n    - name: HTTP_TIMEOUT\n      value: \"2000\"\n    - name: MODE\n      value: a\n",
		},
		"compose file": {
			file:   "docker-compose.yaml",
			before: "services:\n  pay:\n    environment:\n      - \"POOL_SIZE=10\"\n      - A=b\n    command: [run, --timeout=5s]\n",
			after:  "services:\n  pay:\n    environment:\n      - \"POOL_SIZE=1\"\n      - A=b\n    command: [run, --timeout=5s]\n",
			want:   "services:\n  pay:\n    environment:\n      - \"POOL_SIZE=10\"\n      - A=b\n    command: [run, --timeout=5s]\n",
		},
		"json": {
			file:   "pay/config.json",
			before: "{\"a\": [1, {\"max_open\" :\t10 }], \"b\": null}",
			after:  "{\"a\": [1, {\"max_open\" :\t1 }], \"b\": null}",
			want:   "{\"a\": [1, {\"max_open\" :\t10 }], \"b\": null}",
		},
		"json with comments": {
			file:   "pay/config.jsonc",
			before: "{\n  // limit: 3\n  \"limit\": 300, /* x */\n  \"u\": \"\\u0041\",\n}\n",
			after:  "{\n  // limit: 3\n  \"limit\": 3, /* x */\n  \"u\": \"\\u0041\",\n}\n",
			want:   "{\n  // limit: 3\n  \"limit\": 300, /* x */\n  \"u\": \"\\u0041\",\n}\n",
		},
		"toml": {
			file:   "pay/config.toml",
			before: "x = 1\n[db.pool] # pool\nmax_conns = 10 # ten\nlist = [\n 1,\n 2]\ntext = \"\"\"\nmax_conns = 3\n\"\"\"\n[[peer]]\ntimeout = \"3s\"\n[[peer]]\ntimeout = \"4s\"\n",
			after:  "x = 1\n[db.pool] # pool\nmax_conns = 1 # ten\nlist = [\n 1,\n 2]\ntext = \"\"\"\nmax_conns = 3\n\"\"\"\n[[peer]]\ntimeout = \"3s\"\n[[peer]]\ntimeout = \"4s\"\n",
			want:   "x = 1\n[db.pool] # pool\nmax_conns = 10 # ten\nlist = [\n 1,\n 2]\ntext = \"\"\"\nmax_conns = 3\n\"\"\"\n[[peer]]\ntimeout = \"3s\"\n[[peer]]\ntimeout = \"4s\"\n",
		},
		"properties": {
			file:   "pay/application.properties",
			before: "# timeout=1\nhttp.timeout = 2000\nlong=a\\\n  timeout=3\n",
			after:  "# timeout=1\nhttp.timeout = 20\nlong=a\\\n  timeout=3\n",
			want:   "# timeout=1\nhttp.timeout = 2000\nlong=a\\\n  timeout=3\n",
		},
		"dot env": {
			file:   "pay/.env",
			before: "A='b'\nexport RETRY_BACKOFF_MS=100 # ms\n",
			after:  "A='b'\nexport RETRY_BACKOFF_MS=0 # ms\n",
			want:   "A='b'\nexport RETRY_BACKOFF_MS=100 # ms\n",
		},
		"ini with sections": {
			file:   "pay/app.ini",
			before: "[a]\nlimit=1\n[b]\nlimit=5 ; per s\n",
			after:  "[a]\nlimit=1\n[b]\nlimit=2 ; per s\n",
			want:   "[a]\nlimit=1\n[b]\nlimit=5 ; per s\n",
		},
		"hcl": {
			file:   "infra/pay.hcl",
			before: "job \"pay\" {\n  env {\n    POOL_SIZE = \"10\" // ten\n  }\n  note = <<EOT\n  x = 1\n  EOT\n  count = var.n\n}\n",
			after:  "job \"pay\" {\n  env {\n    POOL_SIZE = \"1\" // ten\n  }\n  note = <<EOT\n  x = 1\n  EOT\n  count = var.n\n}\n",
			want:   "job \"pay\" {\n  env {\n    POOL_SIZE = \"10\" // ten\n  }\n  note = <<EOT\n  x = 1\n  EOT\n  count = var.n\n}\n",
		},
		"lines moved and another key changed since": {
			file:   "pay/config.yaml",
			before: "timeout: 2s\na: 1\nb: 1\nc: 1\nd: 1\ne: 1\n",
			after:  "timeout: 2ms\na: 1\nb: 1\nc: 1\nd: 1\ne: 1\n",
			base:   "# new\nz: 0\ntimeout: 2ms\na: 1\nb: 1\nc: 1\nd: 1\ne: 7\n",
			want:   "# new\nz: 0\ntimeout: 2s\na: 1\nb: 1\nc: 1\nd: 1\ne: 7\n",
		},
		"address inside": {
			file:   "pay/config.yaml",
			before: "bank_url: http://bank:8080/v1\n",
			after:  "bank_url: http://bankk:8080/v1\n",
			want:   "bank_url: http://bank:8080/v1\n",
		},

		"secret":               {file: "pay/config.yaml", before: "db_password_timeout: a\n", after: "db_password_timeout: b\n", left: "may be a credential"},
		"secret file":          {file: "pay/secrets.yaml", before: "limit: 1\n", after: "limit: 2\n", left: "may be a credential"},
		"host outside":         {file: "pay/config.yaml", before: "url: https://a.example.com/x\n", after: "url: https://b.example.com/x\n", left: "would change a host outside"},
		"bare host outside":    {file: "pay/config.yaml", before: "upstream: evil.example.com:443\n", after: "upstream: bank:443\n", left: "would change a host outside"},
		"credentials in a url": {file: "pay/config.yaml", before: "url: http://u:p@db/x\n", after: "url: http://u:q@db/x\n", left: "carries credentials"},
		"leaves TLS":           {file: "pay/config.yaml", before: "url: http://bank/x\n", after: "url: https://bank/x\n", left: "would leave TLS"},
		"security switch":      {file: "pay/config.yaml", before: "tls_verify_limit: 0\n", after: "tls_verify_limit: 1\n", left: "is a security setting"},
		"version":              {file: "deploy/pay.yaml", before: "image: pay:1\n", after: "image: pay:2\n", left: "roll the deployment back"},
		"unrelated":            {file: "pay/config.yaml", before: "colour: red\n", after: "colour: blue\n", left: "nothing to do with what is seen"},
		"unrelated to pattern": {file: "pay/config.yaml", before: "pool_size: 3\n", after: "pool_size: 4\n", pattern: localize.PatternUnboundedCall, left: "nothing to do with what is seen of the suspect (unbounded_call)"},
		"new key":              {file: "pay/config.yaml", before: "a: 1\n", after: "a: 1\ntimeout: 3\n", left: "was added by the change"},
		"changed again":        {file: "pay/config.yaml", before: "timeout: 1\n", after: "timeout: 2\n", base: "timeout: 3\n", left: "does not revert cleanly"},
		"not yaml":             {file: "pay/config.yaml", before: "timeout: [1\n", after: "timeout: [2\n", left: "not YAML"},
	} {
		t.Run(name, func(t *testing.T) {
			in := c.input()
			plan := Ladder(in, []Recipe{NewConfigValue()})
			if c.left != "" {
				if len(plan.Options) > 0 {
					t.Fatalf("offered %+v", plan.Options)
				}
				for _, l := range plan.Left {
					if strings.Contains(l.Why, c.left) {
						return
					}
				}
				t.Fatalf("left %+v, want %q", plan.Left, c.left)
			}
			if len(plan.Options) != 1 {
				t.Fatalf("options %+v, left %+v", plan.Options, plan.Left)
			}
			p, err := Draft(in, plan.Options[0], []Recipe{NewConfigValue()})
			if err != nil {
				t.Fatal(err)
			}
			if got := string(p.Files[0].New); got != c.want || p.Files[0].Kind != ConfigFile {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

func TestConfigValueOffersEveryRelatedKey(t *testing.T) {
	c := configCase{file: "pay/config.yaml", before: "timeout: 2s\nretries: 3\ncolour: red\n", after: "timeout: 1s\nretries: 30\ncolour: blue\n", pattern: localize.PatternRetryBurst}
	plan := Ladder(c.input(), []Recipe{NewConfigValue()})
	if len(plan.Options) != 2 || plan.Options[0].Title != "Put retries back to 3" || plan.Options[1].Title != "Put timeout back to 2s" {
		t.Errorf("options %+v", plan.Options)
	}
	if len(plan.Options) > 0 && !strings.Contains(plan.Options[0].Why, "retry setting, from 3 to 30 at pay/config.yaml:2") {
		t.Errorf("why %q", plan.Options[0].Why)
	}
}

func poolInput(files map[string]string, values map[string]float64) *Input {
	in := &Input{
		Base:      fstest.MapFS{},
		Suspects:  []localize.Suspect{{Service: "pay", Patterns: []localize.Pattern{{Kind: localize.PatternPoolWait, Values: values}}}},
		Locations: [][]codeindex.Location{{{File: "pay/db.go", Line: 3, From: 2, To: 4}}},
		Services:  map[string]Service{"pay": {Paths: []string{"pay/**"}}},
		Allowed:   Rungs(),
	}
	for name, content := range files {
		in.Base.(fstest.MapFS)[name] = &fstest.MapFile{Data: []byte(content)}
	}
	return in
}

func TestConfigValueEnlargesASaturatedPool(t *testing.T) {
	values := map[string]float64{"max": 2, "use_p95_seconds": 0.1, "demand_per_second": 30}
	for name, c := range map[string]struct {
		files  map[string]string
		values map[string]float64
		file   string
		want   string
		left   string
	}{
		"quoted in the service's own file": {
			files: map[string]string{"pay/config.yaml": "db:\n  max_open: \"2\" # small\n  max_idle: 2\n  pool_timeout: 2\n"},
			file:  "pay/config.yaml", want: "db:\n  max_open: \"6\" # small\n  max_idle: 2\n  pool_timeout: 2\n",
		},
		"by section name": {
			files: map[string]string{"pay/a.toml": "[pool]\nsize = 2\n[queue]\nsize = 2\n"},
			file:  "pay/a.toml", want: "[pool]\nsize = 6\n[queue]\nsize = 2\n",
		},
		"shared file, named by the code": {
			files: map[string]string{"deploy/all.env": "MAIL_POOL_SIZE=2\nPAY_DB_CONNECTIONS=2\n", "pay/db.go": "package pay\nfunc f() {\n\tn := os.Getenv(\"PAY_DB_CONNECTIONS\")\n}\n"},
			file:  "deploy/all.env", want: "MAIL_POOL_SIZE=2\nPAY_DB_CONNECTIONS=6\n",
		},
		"the one that the code reads": {
			files: map[string]string{"pay/c.yaml": "a_pool_size: 2\nb_pool_size: 2\n", "pay/db.go": "package pay\nfunc f() {\n\tn := get(\"b_pool_size\")\n}\n"},
			file:  "pay/c.yaml", want: "a_pool_size: 2\nb_pool_size: 6\n",
		},
		"two alike":                 {files: map[string]string{"pay/c.yaml": "a_pool_size: 2\nb_pool_size: 2\n"}, left: "ambiguous: the pool's size may be set by any of a_pool_size (pay/c.yaml:1), b_pool_size (pay/c.yaml:2)"},
		"another service's":         {files: map[string]string{"mail/c.yaml": "pool_size: 2\n"}, left: "no configuration value of pay is 2"},
		"another number":            {files: map[string]string{"pay/c.yaml": "pool_size: 3\n"}, left: "no configuration value"},
		"the bot's own file":        {files: map[string]string{".remediator.yaml": "pay:\n  pool_size: 2\n"}, left: "no configuration value"},
		"size unknown":              {files: map[string]string{"pay/c.yaml": "pool_size: 2\n"}, values: map[string]float64{"demand_per_second": 3}, left: "whose size the telemetry does not tell"},
		"neither demand nor queue":  {files: map[string]string{"pay/c.yaml": "pool_size: 2\n"}, values: map[string]float64{"max": 2}, left: "its size cannot be computed"},
		"connections are leaked":    {files: map[string]string{"pay/c.yaml": "pool_size: 20\n"}, values: map[string]float64{"max": 20, "use_p95_seconds": 0.01, "demand_per_second": 30}, left: "leak"},
		"at the bound":              {files: map[string]string{"pay/c.yaml": "pool_size: 100\n"}, values: map[string]float64{"max": 100, "use_p95_seconds": 1, "demand_per_second": 900}, left: "question of design"},
		"absurd numbers are no use": {files: map[string]string{"pay/c.yaml": "pool_size: 2\n"}, values: map[string]float64{"max": 1e300, "use_p95_seconds": 1, "demand_per_second": 900}, left: "does not tell"},
	} {
		t.Run(name, func(t *testing.T) {
			v := c.values
			if v == nil {
				v = values
			}
			in := poolInput(c.files, v)
			plan := Ladder(in, []Recipe{NewConfigValue()})
			if c.left != "" {
				if len(plan.Options) != 0 || !strings.Contains(fmt.Sprint(plan.Left), c.left) {
					t.Fatalf("options %v, left %v, want %q", plan.Options, plan.Left, c.left)
				}
				return
			}
			if len(plan.Options) != 1 {
				t.Fatalf("options %v, left %v", plan.Options, plan.Left)
			}
			p, err := Draft(in, plan.Options[0], []Recipe{NewConfigValue()})
			if err != nil {
				t.Fatal(err)
			}
			if p.Files[0].Path != c.file || string(p.Files[0].New) != c.want {
				t.Errorf("%s:\n%s\nwant %s:\n%s", p.Files[0].Path, p.Files[0].New, c.file, c.want)
			}
		})
	}
}

func TestPoolSize(t *testing.T) {
	for _, c := range []struct {
		max, demand, use, wait, pending float64
		want                            int
	}{
		{max: 10, demand: 100, use: 0.07, want: 0},           // 7 busy, 10 are enough
		{max: 4, demand: 50, use: 0.06, want: 6},             // 3 busy, below saturation
		{max: 1, demand: 18, use: 0.05, wait: 0.4, want: 15}, // saturated: 18 × 0.45 = 8.1
		{max: 1, pending: 3, want: 6},                        // (1+3)/0.7
		{max: 2, demand: 10, wait: 0.3, want: 8},             // 2 + 3
		{max: 1, demand: 1000, use: 1, wait: 1, want: 16},    // at most sixteenfold
		{max: 50, demand: 1000, use: 1, wait: 1, want: 100},  // never above the bound
	} {
		got, why := PoolSize(localize.Pattern{Values: map[string]float64{"max": c.max, "demand_per_second": c.demand, "use_p95_seconds": c.use, "wait_p95_seconds": c.wait, "pending": c.pending}})
		if got != c.want || why == "" {
			t.Errorf("%+v: %d (%s)", c, got, why)
		}
	}
}

func TestMatchGlob(t *testing.T) {
	for _, c := range []struct {
		glob, file string
		want       bool
	}{
		{"pay/**", "pay/a/b.go", true}, {"pay", "pay/a.go", true}, {"pay/", "pay/a.go", true}, {"pay", "payments/a.go", false},
		{"**/*.yaml", "a/b/c.yaml", true}, {"services/*/x.go", "services/a/x.go", true}, {"services/*/x.go", "services/a/b/x.go", false},
		{".", "a", true}, {"a/[", "a/b", false},
	} {
		if got := MatchGlob(c.glob, c.file); got != c.want {
			t.Errorf("MatchGlob(%q, %q) = %v", c.glob, c.file, got)
		}
	}
}

// TestEditsKeepAllOtherBytes edits a random value of a random document in every format.
func TestEditsKeepAllOtherBytes(t *testing.T) {
	formats := map[string]func(*rapid.T, []string, []string) string{
		"a.yaml": func(t *rapid.T, keys, values []string) string {
			return layout(t, keys, values, "%s: %s", []string{" # c: 1", ""}, "# x: 2\n")
		},
		"a.toml": func(t *rapid.T, keys, values []string) string {
			return layout(t, keys, values, "%s = %s", []string{" # c = 1", ""}, "# x = 2\n")
		},
		"a.properties": func(t *rapid.T, keys, values []string) string {
			return layout(t, keys, values, "%s=%s", []string{""}, "! x=2\n")
		},
		".env": func(t *rapid.T, keys, values []string) string {
			return layout(t, keys, values, "%s=%s", []string{" # c", ""}, "#x=2\n")
		},
		"a.json": func(t *rapid.T, keys, values []string) string {
			var b strings.Builder
			for i := range keys {
				fmt.Fprintf(&b, "%s%q:%s%s", rapid.SampledFrom([]string{"", " ", "\n\t"}).Draw(t, "gap"), keys[i], rapid.SampledFrom([]string{"", " "}).Draw(t, "gap"), values[i])
				if i+1 < len(keys) {
					b.WriteByte(',')
				}
			}
			return "{" + b.String() + "}"
		},
	}
	for file, format := range formats {
		t.Run(file, func(t *testing.T) {
			rapid.Check(t, func(t *rapid.T) {
				keys := rapid.SliceOfNDistinct(rapid.StringMatching(`[a-z][a-z_]{0,8}`).Filter(func(s string) bool {
					return s != "y" && s != "n" && s != "on" && s != "off" && s != "no" && s != "yes" && s != "null" && s != "true" && s != "false"
				}), 1, 8, rapid.ID).Draw(t, "keys")
				values := make([]string, len(keys))
				for i := range values {
					values[i] = rapid.SampledFrom([]string{"1", "20", "true", `"3s"`, `"a b"`, "0.5"}).Draw(t, "value")
				}
				doc := format(t, keys, values)
				all, err := readSettings(file, []byte(doc))
				if err != nil || len(all) != len(keys) {
					t.Fatalf("%d of %d settings read, %v:\n%s", len(all), len(keys), err, doc)
				}
				s := all[rapid.IntRange(0, len(all)-1).Draw(t, "which")]
				to := sameQuotes(s.Raw, "77")
				got, err := editSettings(file, []byte(doc), []settingEdit{{s, to}})
				if err != nil {
					t.Fatal(err)
				}
				if want := doc[:s.From] + to + doc[s.To:]; string(got) != want {
					t.Fatalf("got\n%s\nwant\n%s", got, want)
				}
				if i := len(s.Path) - 1; s.Raw != values[indexOf(keys, s.Path[i])] {
					t.Fatalf("%s is said to be %s", s.Path[i], s.Raw)
				}
			})
		})
	}
}

func indexOf(keys []string, key string) int {
	for i, k := range keys {
		if k == key {
			return i
		}
	}
	return -1
}

// layout writes one pair a line with comments and empty lines between.
func layout(t *rapid.T, keys, values []string, pair string, comments []string, line string) string {
	var b strings.Builder
	for i := range keys {
		if rapid.Bool().Draw(t, "comment line") {
			b.WriteString(line)
		}
		if rapid.Bool().Draw(t, "empty line") {
			b.WriteByte('\n')
		}
		fmt.Fprintf(&b, pair, keys[i], values[i])
		b.WriteString(rapid.SampledFrom(comments).Draw(t, "comment") + rapid.SampledFrom([]string{"\n", "\r\n"}).Draw(t, "end"))
	}
	return b.String()
}

// fuzzSettings holds a reader to its promise for any input: what it calls a setting stands where it says, and an
// edit of it changes nothing else or is refused.
func fuzzSettings(f *testing.F, file string, seeds ...string) {
	for _, s := range seeds {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, src []byte) {
		all, err := readSettings(file, src)
		if err != nil {
			return
		}
		for i, s := range all {
			if s.From < 0 || s.To > len(src) || s.From > s.To || string(src[s.From:s.To]) != s.Raw || len(s.Path) == 0 && s.Name != "" {
				t.Fatalf("%+v is not in %q", s, src)
			}
			if i > 20 {
				continue
			}
			got, err := editSettings(file, src, []settingEdit{{s, "77"}})
			if err == nil && !bytes.Equal(got, append(append(bytes.Clone(src[:s.From]), "77"...), src[s.To:]...)) {
				t.Fatalf("the edit changed more: %q", got)
			}
		}
	})
}

func FuzzJSONSettings(f *testing.F) {
	fuzzSettings(f, "a.json", `{"a":[1,{"b":"c"}],/* x */"d":null,}`, `[]`, `{"a":1,"a":2}`, `"\u0041"`, "[[[[", `{"a":/`, `/*`)
}

func FuzzYAMLSettings(f *testing.F) {
	fuzzSettings(f, "a.yaml", "a: 1\nb:\n- c: 'd'\n  e: {f: \"g\"}\n", "a: &x 1\nb: *x\n", "? a\n: b\n", "a: |\n  b: c\n", "---\na: 1\n---\n- b\n", "a: !!str 1\r\n", "<<: {a: 1}\n", "[[[", "- - - a")
}

func FuzzTOMLSettings(f *testing.F) {
	fuzzSettings(f, "a.toml", "a = 1\n[b.c]\nd = \"e\" # f\n[[g]]\nh = true\n", "a = \"\"\"\nb = 1\n\"\"\"\n", "a = [\n1,\n]\n", "[", "a = 'b")
}

func FuzzLineSettings(f *testing.F) {
	fuzzSettings(f, "a.properties", "a=b\\\nc=d\n", "a : b\n", "=\n")
}

func FuzzEnvSettings(f *testing.F) {
	fuzzSettings(f, ".env", "export A='b' # c\nD=\"e\"\n", "A==\n")
}

func FuzzHCLSettings(f *testing.F) {
	fuzzSettings(f, "a.hcl", "a \"b\" {\n c = 1 // d\n}\n", "x = <<E\ny = 1\nE\n", "a {\n}\n}\n", "a = {\nb = 1\n}\n", "/* a = 1\n*/ b = 2\n")
}
