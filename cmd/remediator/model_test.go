package main

import (
	"context"
	"encoding/json"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/llm"
	"github.com/remediator/remediator/internal/llm/llmtest"
	"github.com/remediator/remediator/patch"
	"github.com/remediator/remediator/remedy"
)

// ableModel answers as vLLM with an able model would: what it says to a prompt is for the test to decide.
type ableModel struct {
	*httptest.Server
	mu      sync.Mutex
	prompts []string
}

func newAbleModel(t *testing.T, say func(prompt string) string) *ableModel {
	t.Helper()
	m := &ableModel{}
	m.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/v1/models":
			_, _ = io.WriteString(w, `{"object":"list","data":[{"id":"able-32b","object":"model","owned_by":"vllm","max_model_len":16384}]}`)
		case "/tokenize":
			var q struct{ Prompt string }
			_ = json.NewDecoder(r.Body).Decode(&q)
			_ = json.NewEncoder(w).Encode(map[string]int{"count": len(q.Prompt)/4 + 1})
		case "/v1/chat/completions":
			var q struct {
				Messages []struct{ Role, Content string }
				Format   json.RawMessage `json:"response_format"`
			}
			if json.NewDecoder(r.Body).Decode(&q) != nil {
				http.Error(w, "no JSON", http.StatusBadRequest)
				return
			}
			text := `{"colour":"amber-7341"}`
			if !strings.Contains(string(q.Format), "amber-7341") {
				prompt := q.Messages[len(q.Messages)-1].Content
				m.mu.Lock()
				m.prompts = append(m.prompts, prompt)
				m.mu.Unlock()
				text = say(prompt)
			}
			_ = json.NewEncoder(w).Encode(map[string]any{"choices": []any{map[string]any{"message": map[string]any{"role": "assistant", "content": text}, "finish_reason": "stop"}},
				"usage": map[string]int{"prompt_tokens": 900, "completion_tokens": 80}})
		default:
			http.NotFound(w, r)
		}
	}))
	t.Cleanup(m.Close)
	return m
}

// pausing is what an able model answers to the retry storm of the sample shop.
func pausing(string) string {
	return "<think>The loop calls again at once.</think>\n```json\n" + `{"reason":"wait between attempts","imports":["time"],"edits":[{"path":"payments/bank/client.go",` +
		`"old":"\tfor attempt := range c.attempts {\n","new":"\tfor attempt := range c.attempts {\n\t\tif attempt > 0 {\n\t\t\ttimer := time.NewTimer(150 * time.Millisecond << attempt)\n\t\t\tselect {\n\t\t\tcase <-ctx.Done():\n\t\t\t\ttimer.Stop()\n\t\t\t\treturn Receipt{}, fmt.Errorf(\"%w: %w\", ErrUnavailable, ctx.Err())\n\t\t\tcase <-timer.C:\n\t\t\t}\n\t\t}\n"}]}` + "\n```"
}

// TestAnAbleModelsDraftIsProvedLikeARecipes asks for a change where no recipe stands on the ladder. What is proved is proposed,
// says who wrote it, and is signed with it.
func TestAnAbleModelsDraftIsProvedLikeARecipes(t *testing.T) {
	if testing.Short() {
		t.Skip("builds and replays the sample shop")
	}
	m := newAbleModel(t, pausing)
	out := t.TempDir()
	code, stdout, stderr := remediatorCommand(t, "model", "eval", "--model-url", m.URL, "--incident", "retry-storm", "--out", out, "--format", "json")
	if code != exitOK {
		t.Fatalf("exit code %d\n%s\n%s", code, stdout, stderr)
	}
	var e evaluation
	if err := json.Unmarshal([]byte(stdout), &e); err != nil {
		t.Fatal(err)
	}
	var row *evalRow
	for i := range e.Rows {
		if e.Rows[i].Part == patch.ModelWrote {
			row = &e.Rows[i]
		}
	}
	if row == nil || !row.Parsed || !row.Applied || !row.Allowed || !row.Compiled || !row.Tests || !row.Replay || !row.Proposed {
		t.Fatalf("rows %+v", e.Rows)
	}
	dir := filepath.Join(out, "retry-storm")
	cs := loadCase(t, dir)
	a := cs.Patch.Author
	if a == nil || a.Model != "able-32b" || a.Part != patch.ModelWrote || !cs.Verdicts.Proved || !cs.Verdicts.FlagOffSame {
		t.Errorf("author %+v, verdicts %+v", a, cs.Verdicts)
	}
	body, err := os.ReadFile(filepath.Join(dir, "pull-request.md"))
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range []string{"The language model able-32b on vllm", a.PromptSHA256, "A language model wrote this."} {
		if !strings.Contains(string(body), want) {
			t.Errorf("the pull request does not show %q", want)
		}
	}
	checkSchema(t, dir)
	if code, stdout, _ := remediatorCommand(t, "verify", dir); code != exitOK {
		t.Errorf("verify: exit code %d\n%s", code, stdout)
	}
	evidence, err := os.ReadFile(filepath.Join(dir, "evidence.sigstore.json"))
	if err != nil {
		t.Fatal(err)
	}
	if payload := dssePayload(t, evidence); !strings.Contains(payload, `"model":"able-32b"`) || !strings.Contains(payload, `"prompt_sha256":"`+a.PromptSHA256+`"`) {
		t.Errorf("the signed statement does not name model and prompt: %.600s", payload)
	}
}

func dssePayload(t *testing.T, bundle []byte) string {
	t.Helper()
	var b struct {
		Envelope struct {
			Payload []byte `json:"payload"`
		} `json:"dsseEnvelope"`
	}
	if err := json.Unmarshal(bundle, &b); err != nil {
		t.Fatal(err)
	}
	return string(b.Envelope.Payload)
}

// TestRealModelOnTheLadder lets a real model, which writes well-formed nonsense, draft for a recorded incident. Nothing of it may be
// proposed, and the case says how far it came.
func TestRealModelOnTheLadder(t *testing.T) {
	if testing.Short() {
		t.Skip("a real model takes minutes")
	}
	url := llmtest.Start(t, 8192)
	client, err := llm.New(llm.Options{URL: url, Timeout: 4 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer client.Close()
	e := &evaluator{client: client, timeout: 4 * time.Minute, out: t.TempDir(), io: stdio{in: strings.NewReader(""), out: io.Discard, err: io.Discard}}
	rows, err := e.incident(t.Context(), "n-plus-one")
	if err != nil {
		t.Fatal(err)
	}
	cs := loadCase(t, filepath.Join(e.out, "n-plus-one"))
	asked := 0
	for _, o := range cs.Options {
		if !strings.HasPrefix(o.Recipe, "model-") || o.Outcome == remedy.LeftOut {
			continue
		}
		asked++
		if o.Outcome == remedy.Chosen && !o.Verdicts.Proved {
			t.Errorf("what is not proved is proposed: %+v", o)
		}
		if o.Why == "" || o.Author == nil || o.Author.Model != llmtest.Name {
			t.Errorf("the report does not say what became of it: %+v", o)
		}
	}
	if asked == 0 || len(rows) == 0 {
		t.Fatalf("the model was not asked: %+v", cs.Options)
	}
	if cs.Declined == nil {
		t.Errorf("a model of 135 million weights mended the shop; look at it: %+v", rows)
	}
}

func TestAModelOutOfReachLeavesTheLadderAsItIs(t *testing.T) {
	s := httptest.NewServer(http.NotFoundHandler())
	s.Close()
	o := modelOptions{url: s.URL}
	all, err := o.recipes(config.Model{})
	if err != nil {
		t.Fatal(err)
	}
	without := recipes()
	if len(all) != len(without)+2 {
		t.Fatalf("%d recipes, %d without a model", len(all), len(without))
	}
	for i := range without {
		if all[i].Name() != without[i].Name() {
			t.Errorf("%s stands where %s was", all[i].Name(), without[i].Name())
		}
	}
}

func TestWhichModelTakesPart(t *testing.T) {
	repo := config.Model{URL: "http://repo.example:1", Name: "theirs", Context: 2000, Timeout: config.Duration(time.Minute)}
	for name, test := range map[string]struct {
		flags modelOptions
		want  modelOptions
	}{
		"the repository's":                   {modelOptions{}, modelOptions{url: "http://repo.example:1", name: "theirs", context: 2000, timeout: time.Minute}},
		"the command line's server":          {modelOptions{url: "http://mine:2"}, modelOptions{url: "http://mine:2", timeout: time.Minute}},
		"the command line's name":            {modelOptions{name: "mine"}, modelOptions{url: "http://repo.example:1", name: "mine", context: 2000, timeout: time.Minute}},
		"a service's, whatever a repository": {modelOptions{fixed: true}, modelOptions{fixed: true, timeout: defaultModelTimeout}},
	} {
		if got := test.flags.merged(repo); !reflect.DeepEqual(got, test.want) {
			t.Errorf("%s: %+v, want %+v", name, got, test.want)
		}
	}
	none := modelOptions{}
	if all, err := none.recipes(config.Model{}); err != nil || len(all) != len(recipes()) {
		t.Errorf("without a server: %d recipes, %v", len(all), err)
	}
	if _, err := (&modelOptions{name: "m"}).recipes(config.Model{}); codeOf(err) != exitUsage {
		t.Errorf("a model without a server: %v", err)
	}
	if _, err := (&modelOptions{url: "ftp://x"}).recipes(config.Model{}); codeOf(err) != exitInput {
		t.Errorf("an address that is none: %v", err)
	}
	if o, err := operatorsModel(config.Model{URL: "http://127.0.0.1:1"}); err != nil || o.known == nil {
		t.Errorf("a service's model: %+v, %v", o, err)
	} else if c, _, _ := o.client(repo); c != o.known {
		t.Error("a repository's configuration changes the service's server")
	}
}

func TestModelCheckSaysWhatItFinds(t *testing.T) {
	m := newAbleModel(t, pausing)
	code, stdout, stderr := remediatorCommand(t, "model", "check", "--model-url", m.URL)
	for _, want := range []string{"vllm at " + m.URL, "able-32b", "not known: the server does not say", "16384 tokens, from vLLM's list of models", "held by json_schema"} {
		if !strings.Contains(stdout, want) {
			t.Errorf("the answer lacks %q (exit code %d):\n%s%s", want, code, stdout, stderr)
		}
	}
	code, stdout, _ = remediatorCommand(t, "model", "check", "--model-url", m.URL, "--format", "json")
	var c checked
	if err := json.Unmarshal([]byte(stdout), &c); err != nil || code != exitOK || c.Context != 16384 || c.Small {
		t.Errorf("%d %+v %v", code, c, err)
	}
	m.Close()
	if code, _, stderr := remediatorCommand(t, "model", "check", "--model-url", m.URL); code != exitMachine || !strings.Contains(stderr, "does not answer") {
		t.Errorf("exit code %d: %s", code, stderr)
	}
	if code, _, _ := remediatorCommand(t, "model", "eval"); code != exitUsage {
		t.Errorf("eval without a server: exit code %d", code)
	}
	if code, _, stderr := remediatorCommand(t, "model", "eval", "--model-url", m.URL, "--incident", "absent"); code != exitUsage || !strings.Contains(stderr, "retry-storm") {
		t.Errorf("eval of no incident: exit code %d: %s", code, stderr)
	}
}

func TestDoctorFindsModels(t *testing.T) {
	m := newAbleModel(t, pausing)
	gone := httptest.NewServer(http.NotFoundHandler())
	gone.Close()
	found := searchModels(context.Background(), []string{gone.URL, m.URL})
	if len(found) != 1 || found[0].State != "ok" || !strings.Contains(found[0].Text, "able-32b at "+m.URL) || !strings.Contains(found[0].Text, "16384") || !strings.Contains(found[0].Next, "--model-url "+m.URL) {
		t.Errorf("found %+v", found)
	}
	if found := searchModels(context.Background(), []string{gone.URL}); len(found) != 1 || found[0].State != "warning" {
		t.Errorf("without a server: %+v", found)
	}
	dir := t.TempDir()
	conf := "services:\n  a:\n    paths: [\"**\"]\n    test: [\"true\"]\nmodel:\n  url: " + m.URL + "\n"
	if err := os.WriteFile(filepath.Join(dir, config.File), []byte(conf), 0o644); err != nil {
		t.Fatal(err)
	}
	if found := examineModels(context.Background(), dir); len(found) != 1 || found[0].State != "ok" {
		t.Errorf("the configured one: %+v", found)
	}
}
