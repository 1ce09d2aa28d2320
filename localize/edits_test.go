package localize

import "testing"

func TestEdits(t *testing.T) {
	for _, c := range []struct {
		name, patch   string
		edits         float64
		serial, words bool
		logs, looser  bool
	}{
		{"a statement computes something else", "-\tkey := \"book:\" + in.ID\n+\tkey := \"book:\" + in.ID + tenant(in)\n", 1, false, false, false, false},
		{"a literal got a name", "-\tn := 50\n+\tn := pageSize\n", 0, false, false, false, false},
		{"lines that moved", "-\treturn a + b\n-\treturn store(a)\n+\treturn put(a)\n+\treturn store(a)\n+\treturn a + b\n", 0, false, false, false, false},
		{"requests wait for each other", "-    public Book get(String id) {\n+    public synchronized Book get(String id) {\n", 0, true, false, false, false},
		{"a lock that is let go", " \tmu.Lock()\n+\tdefer mu.Unlock()\n", 0, false, false, false, false},
		{"an error is wrapped", "-\t\treturn nil, err\n+\t\treturn nil, fmt.Errorf(\"get: %w\", err)\n", 0, false, true, false, false},
		{"an error is swallowed", "-\t\treturn nil, err\n+\t\treturn nil, nil\n", 1, false, false, false, false},
		{"an exception gets another text", "-        throw e;\n+        throw new BookException(\"get\", e);\n", 0, false, true, false, false},
		{"a counter", "+        meter.counter(\"book.retries\").increment();\n", 0, false, false, true, false},
		{"a set that grows", "+        seen.add(book);\n", 0, false, false, false, false},
		{"more patience", "-timeout: 5s\n+timeout: 10s\n", 0, false, false, false, true},
		{"less patience", "-timeout: 10s\n+timeout: 5s\n", 0, false, false, false, false},
		{"far more at once", "-max_connections: 5\n+max_connections: 500\n", 0, false, false, false, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			d := digest(&Change{Files: []ChangedFile{{Path: "books/book.go", Patch: "@@ -1 +1 @@\n" + c.patch}}})
			edits := d.rewritten
			if len(d.values) > 0 {
				edits = 0 // counted as values
			}
			if edits != c.edits || d.serialises != c.serial || d.onlyWords != c.words || d.onlyLogs != c.logs || d.loosened() != c.looser {
				t.Errorf("edits %v, serialises %v, only words %v, only reports %v, loosened %v: %+v", edits, d.serialises, d.onlyWords, d.onlyLogs, d.loosened(), d)
			}
		})
	}
}

func TestDisruptiveMigrations(t *testing.T) {
	for line, want := range map[string]bool{
		"DROP INDEX idx_loans_due;": true, "ALTER TABLE loans ADD COLUMN due date NOT NULL;": true, "CREATE INDEX idx ON loans (due);": true,
		"op.drop_column('loans', 'due')": true, "CREATE INDEX CONCURRENTLY idx ON loans (due);": false, "INSERT INTO kinds VALUES (1);": false,
	} {
		if got := disruptive(line); got != want {
			t.Errorf("%s: %v", line, got)
		}
	}
}
