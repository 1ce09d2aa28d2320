package localize

import (
	"testing"
	"time"

	"github.com/remediator/remediator/incident"
)

func TestACommitThatOnlyChangesWordsIsInnocent(t *testing.T) {
	file := func(path, patch string) []ChangedFile { return []ChangedFile{{Path: path, Patch: patch}} }
	for name, files := range map[string][]ChangedFile{
		"log message":           file("ledger/post.go", "@@ -1 +1 @@\n-\tlog.Error(\"posting failed\")\n+\tlog.Error(\"posting of account failed: nil pointer dereference\")\n"),
		"log message with args": file("ledger/post.py", "@@ -1 +1 @@\n-    logger.error('posting failed for %s', account)\n+    logger.error('posting of account %s failed: invalid memory', account)\n"),
		"log over lines":        file("ledger/Post.java", "@@ -1 +1 @@\n     logger.error(\n-        \"posting has failed for account\",\n+        \"panic while posting the account of an entry\",\n"),
		"error message":         file("ledger/post.go", "@@ -1 +1 @@\n-\treturn errors.New(\"posting the account failed\")\n+\treturn errors.New(\"nil account in posting of entry\")\n"),
		"comment":               file("ledger/post.go", "@@ -1 +1 @@\n-// post stores\n+// post stores the account; nil pointer panics\n"),
		"comment behind code":   file("ledger/post.go", "@@ -1 +1 @@\n-\tstore.Put(e) // posting\n+\tstore.Put(e) // posting of account, nil pointer dereference\n"),
		"docstring":             file("ledger/post.py", "@@ -1,5 +1,5 @@\n def post(e):\n     \"\"\"Store.\n \n-    Takes an entry.\n+    Takes an entry of an account; nil pointer dereference panics.\n     \"\"\"\n"),
		"block comment":         file("ledger/post.go", "@@ -1,5 +1,5 @@\n /*\n-   posts\n+   posts the account if e.Account == nil { panic }\n */\n"),
		"test":                  file("ledger/post_test.go", "@@ -1 +1 @@\n-\tpost(nil)\n+\tpost(account, nil)\n"),
		"documentation":         file("docs/ledger.md", "@@ -1 +1 @@\n-old\n+posting account nil pointer\n"),
		"changelog":             file("CHANGELOG", "@@ -1 +1 @@\n-old\n+posting account nil pointer\n"),
	} {
		t.Run(name, func(t *testing.T) {
			ev := nilScenario()
			ev.Changes = []Change{{SHA: shaMoved, Time: base.Add(-2 * time.Minute), Service: "ledger", Message: "ledger: say more of posting account nil pointer dereference panic", Files: files}}
			ev.Deploys = []Deploy{{Time: base.Add(-time.Minute), Service: "ledger", SHA: shaMoved}}
			if r := Rank(incident.Incident{}, ev, Options{}); len(r.Changes) != 0 {
				t.Errorf("%s", says(r))
			}
		})
	}
}

func TestWordsBesideBehaviourDoNotHideIt(t *testing.T) {
	for name, patch := range map[string]string{
		"guard":     "@@ @@\n-\tif e.Account == nil {\n-\t\treturn suspense\n-\t}\n-\tlog.Info(\"posting an entry\")\n+\tlog.Info(\"posting the entry now\")\n",
		"statement": "@@ @@\n-\tq := \"SELECT name FROM accounts WHERE id = $1\"\n+\tq := \"SELECT name FROM account_names WHERE key = $1\"\n",
		"number":    "@@ @@\n-\tlog.Info(\"posting in batches\", 10)\n+\tlog.Info(\"posting in batches\", 10000)\n",
		"level":     "@@ @@\n-\tlog.Debug(\"posting an entry\")\n+\tlog.Info(\"posting an entry\")\n",
	} {
		if d := digest(&Change{Files: []ChangedFile{{Path: "a/b.go", Patch: patch}}}); d.onlyWords {
			t.Errorf("%s: taken for words only", name)
		}
	}
}

func TestStripComment(t *testing.T) {
	for in, want := range map[string]string{
		"x := 1 // one": "x := 1", `u := "http://a // b"`: `u := "http://a // b"`, "x = 1 # one": "x = 1", `s = "a # b"`: `s = "a # b"`,
		"a /* b */": "a", "#define X": "#define X", "x := a//b": "x := a//b", "": "", `'it\'s // x' // y`: `'it\'s // x'`,
	} {
		if got := stripComment(in); got != want {
			t.Errorf("stripComment(%q) = %q, want %q", in, got, want)
		}
	}
}

func FuzzDropWording(f *testing.F) {
	f.Add("-\tlog.Info(\"a b c\")\n+\tlog.Info(\"a b d\")\n")
	f.Add("-x = \"\\\n+'''\n")
	f.Fuzz(func(t *testing.T, patch string) {
		removed, added := splitHunks(patch)
		r, a := dropWording(removed, added)
		if len(r) > len(removed) || len(a) > len(added) {
			t.Fatal("lines came from nowhere")
		}
	})
}
