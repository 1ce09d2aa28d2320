package modelrecipe

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/remediator/remediator/codeindex"
	"github.com/remediator/remediator/localize"
	"github.com/remediator/remediator/patch"
)

const shopModule = "module example.com/shop\n\ngo 1.24\n"

const shopSource = `// Package pay takes money.
package pay

import (
	"context"
	"errors"
	"net/http"
)

// ErrDown means that the bank does not answer.
var ErrDown = errors.New("bank is down")

const attempts = 4

// Client talks to the bank.
type Client struct {
	base string
	http *http.Client
}

// Charge takes an amount.
func (c *Client) Charge(ctx context.Context, amount int) error {
	if amount <= 0 {
		return errors.New("nothing to take")
	}
	for i := 0; i < attempts; i++ {
		if err := c.once(ctx, amount); err == nil {
			return nil
		}
	}
	return ErrDown
}

func (c *Client) once(ctx context.Context, amount int) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodPost, c.base+"/charges", nil)
	if err != nil {
		return err
	}
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	return resp.Body.Close()
}
`

// goodEdit waits between attempts.
var goodEdit = edit{Path: "pay/client.go", Old: "\tfor i := 0; i < attempts; i++ {\n", New: "\tfor i := 0; i < attempts; i++ {\n\t\tif i > 0 {\n\t\t\ttime.Sleep(time.Duration(i) * 50 * time.Millisecond)\n\t\t}\n"}

// played is a model that says what a test wants.
type played struct {
	say     func(n int, q Question) (string, error)
	context int
	weights int64
	asked   []Question
	refuse  error // of Describe
}

func (p *played) Describe(context.Context) (Description, error) {
	if p.refuse != nil {
		return Description{}, p.refuse
	}
	if p.context == 0 {
		p.context = 8192
	}
	return Description{Name: "played", Server: "test", Digest: "sha256:abc", Context: p.context, Dialect: "json_schema", Weights: p.weights}, nil
}

func (p *played) Count(_ context.Context, s string) int { return (len(s) + 3) / 4 }

func (p *played) Ask(ctx context.Context, q Question) (Answer, error) {
	p.asked = append(p.asked, q)
	if err := ctx.Err(); err != nil {
		return Answer{}, err
	}
	text, err := p.say(len(p.asked), q)
	return Answer{Text: text}, err
}

func says(v any) func(int, Question) (string, error) {
	b, err := json.Marshal(v)
	return func(int, Question) (string, error) { return string(b), err }
}

func answerOf(edits ...edit) editAnswer {
	return editAnswer{Reason: "it may help", Edits: edits, Imports: []string{}}
}

// shop is an input whose first suspect is Client.Charge.
func shop() *patch.Input {
	return &patch.Input{
		Base: fstest.MapFS{"go.mod": {Data: []byte(shopModule)}, "pay/client.go": {Data: []byte(shopSource)}, "pay/client_test.go": {Data: []byte("package pay\n")},
			".remediator.yaml": {Data: []byte("services: {}\n")}, "other/other.go": {Data: []byte("package other\n\nfunc Other() {}\n")}},
		Suspects: []localize.Suspect{{Service: "payments", Operation: "bank.Charge", Confidence: 0.9, Culprit: "abc123",
			Patterns: []localize.Pattern{{Kind: localize.PatternRetryBurst, Text: "4 calls within 1 ms", Values: map[string]float64{"attempts": 4}}},
			Hints:    []localize.Hint{{Kind: localize.HintLog, Text: "bank is down", Weight: 1}}}},
		Locations: [][]codeindex.Location{{{File: "pay/client.go", Line: 24, Function: "Client.Charge", Language: "go"}}},
		Changes:   []localize.Change{{SHA: "abc123", Message: "Retry at once", Files: []localize.ChangedFile{{Path: "pay/client.go", Patch: "@@ -1 +1 @@\n-\tpause()\n+\t\n"}}}},
		Services:  map[string]patch.Service{"payments": {Paths: []string{"pay/**"}, Language: "go"}}, Allowed: patch.Rungs(),
	}
}

// draft runs the ladder and drafts the model's option for edits.
func draft(t *testing.T, m Model, in *patch.Input, o Options) (*patch.Patch, error) {
	t.Helper()
	all := New(m, o)
	plan := patch.Ladder(in, all)
	for _, option := range plan.Options {
		if option.Recipe == "model-edits@1" {
			return patch.Draft(in, option, all)
		}
	}
	t.Fatalf("there is no option to ask a model; left: %+v", plan.Left)
	return nil, nil
}

func TestADraftIsTheOldFunctionBesideARevisedCopy(t *testing.T) {
	m := &played{say: says(answerOf(goodEdit))}
	p, err := draft(t, m, shop(), Options{})
	if err != nil {
		t.Fatal(err)
	}
	source := string(p.Files[0].New)
	for _, want := range []string{"REMEDIATOR_PAYMENTS_CHARGE_REVISED", "return c.chargeRevised(ctx, amount)", "func (c *Client) chargeRevised(ctx context.Context, amount int) error {", "time.Sleep(time.Duration(i) * 50 * time.Millisecond)", "\t\"time\"\n"} {
		if !strings.Contains(source, want) {
			t.Errorf("the source lacks %q:\n%s", want, source)
		}
	}
	old := shopSource[strings.Index(shopSource, "\tif amount <= 0"):strings.Index(shopSource, "\nfunc (c *Client) once")]
	if !strings.Contains(source, old) {
		t.Errorf("the old body is not as it was:\n%s", source)
	}
	a := p.Author
	if a == nil || a.Model != "played" || a.ModelDigest != "sha256:abc" || a.Part != patch.ModelWrote || a.Exchanges != 1 || len(a.PromptSHA256) != 64 || len(a.AnswerSHA256) != 64 ||
		a.Parameters.Temperature != Temperature || a.Parameters.Context != 8192 || a.PromptTokens == 0 || a.AnswerTokens == 0 || a.Reached != patch.AnswerApplied {
		t.Errorf("of the model's part is recorded %+v", a)
	}
	if len(p.Tests) != 1 || p.Flag == nil || len(p.Telemetry) != 1 || len(p.Risks) != 2 {
		t.Errorf("tests %v, flag %v, telemetry %v, risks %v", p.Tests, p.Flag, p.Telemetry, p.Risks)
	}
	if q := m.asked[0]; q.Temperature != 0.1 || q.Seed == 0 || !json.Valid(q.Schema) {
		t.Errorf("asked with %+v", q)
	}
	again := &played{say: m.say}
	if q, err := draft(t, again, shop(), Options{}); err != nil || q.Diff != p.Diff || again.asked[0].User != m.asked[0].User || again.asked[0].Seed != m.asked[0].Seed {
		t.Errorf("the same evidence makes another prompt or draft: %v", err)
	}
}

// TestACallerMayChangeInPlaceOfWhatItCalls points the suspect at the function inside the loop.
func TestACallerMayChangeInPlaceOfWhatItCalls(t *testing.T) {
	in := shop()
	in.Locations[0][0].Line = 37
	m := &played{say: says(answerOf(goodEdit))}
	p, err := draft(t, m, in, Options{})
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(p.Diff, "chargeRevised") || !strings.Contains(m.asked[0].User, "Client.once or Client.Charge") || !strings.Contains(p.Option.Title, "Client.once") {
		t.Errorf("%s\n%s", p.Option.Title, p.Diff)
	}
	two := answerOf(goodEdit, edit{Path: "pay/client.go", Old: "\treturn resp.Body.Close()\n", New: "\treturn nil\n"})
	if _, err := draft(t, &played{say: says(two)}, in, Options{}); err == nil || !strings.Contains(err.Error(), "one function") {
		t.Errorf("edits of two functions: %v", err)
	}
}

func TestCodeThatDoesNotFitIsShownInPartOrNotAtAll(t *testing.T) {
	in := shop()
	in.Locations[0][0].Line = 37
	m := &played{say: says(answerOf(edit{Path: "pay/client.go", Old: "\treturn resp.Body.Close()\n", New: "\t_ = amount\n\treturn resp.Body.Close()\n"}))}
	both, one := 0, 0
	for m.context = 1200; m.context > 500; m.context -= 10 {
		m.asked = nil
		p, err := draft(t, m, in, Options{})
		if errors.Is(err, errNoRoom) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if strings.Contains(m.asked[0].User, "func (c *Client) Charge") {
			both++
			continue
		}
		one++
		if !strings.Contains(p.Author.Left, "Client.Charge") {
			t.Errorf("it is not said that Charge was left out: %q", p.Author.Left)
		}
	}
	if both == 0 || one == 0 {
		t.Errorf("both functions were shown %d times, one alone %d times", both, one)
	}
	m.context, m.asked = 300, nil
	if _, err := draft(t, m, in, Options{}); !errors.Is(err, errNoRoom) || len(m.asked) != 0 {
		t.Errorf("%v after %d questions", err, len(m.asked))
	}
}

func TestARefusedAnswerIsRepairedOnce(t *testing.T) {
	m := &played{say: func(n int, q Question) (string, error) {
		if n == 1 {
			return says(answerOf(edit{Path: "pay/client.go", Old: "not there at all", New: "x"}))(n, q)
		}
		if !strings.Contains(q.User, "does not occur in pay/client.go") {
			t.Errorf("the second prompt does not say what was wrong:\n%s", q.User)
		}
		return says(answerOf(goodEdit))(n, q)
	}}
	p, err := draft(t, m, shop(), Options{})
	if err != nil || p.Author.Exchanges != 2 || len(m.asked) != 2 {
		t.Errorf("%v after %d exchanges", err, len(m.asked))
	}
	m = &played{say: func(int, Question) (string, error) { return "I would rather not.", nil }}
	_, err = draft(t, m, shop(), Options{})
	var failed *patch.AuthoredError
	if !errors.As(err, &failed) || len(m.asked) != 2 || !strings.Contains(err.Error(), "no JSON object") || failed.By.Exchanges != 2 {
		t.Errorf("%v after %d exchanges", err, len(m.asked))
	}
}

func TestAModelThatIsOutOfReachIsNotAskedAgainInACase(t *testing.T) {
	m := &played{refuse: errors.New("the model server at 127.0.0.1:1 does not answer: connection refused")}
	in := shop()
	all := New(m, Options{Recipes: []patch.Recipe{tunable{}}})
	plan := patch.Ladder(in, all)
	if len(plan.Options) != 2 {
		t.Fatalf("options %+v", plan.Options)
	}
	_, first := patch.Draft(in, plan.Options[0], all)
	m.refuse = errors.New("asked again")
	_, second := patch.Draft(in, plan.Options[1], all)
	if first == nil || second == nil || !strings.Contains(second.Error(), "not asked again in this case") || strings.Contains(second.Error(), ": asked again") {
		t.Errorf("first %v; second %v", first, second)
	}
}

func TestACaseWaitsNoLongerThanItsTimeOut(t *testing.T) {
	now := time.Unix(0, 0)
	clock := func() time.Time { return now }
	m := &played{say: func(int, Question) (string, error) { now = now.Add(time.Minute); return "nonsense", nil }}
	in := shop()
	all := New(m, Options{Recipes: []patch.Recipe{tunable{}}, Timeout: time.Minute, Now: clock})
	plan := patch.Ladder(in, all)
	_, first := patch.Draft(in, plan.Options[0], all)
	n := len(m.asked)
	_, second := patch.Draft(in, plan.Options[1], all)
	if first == nil || second == nil || !strings.Contains(second.Error(), "are used up") || len(m.asked) != n {
		t.Errorf("first %v; second %v", first, second)
	}
}

func TestWithinEndsTheWaiting(t *testing.T) {
	m := &played{say: func(int, Question) (string, error) { return "", errors.New("was asked") }}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	in := shop()
	r := New(m, Options{})[1].(edits)
	o, _ := r.Propose(in, 0)
	if _, err := r.Within(ctx).Draft(in, o[0]); !errors.Is(err, context.Canceled) {
		t.Errorf("%v", err)
	}
}

func TestWhereNoModelIsAsked(t *testing.T) {
	for _, test := range []struct {
		name   string
		change func(*patch.Input)
		want   string
	}{
		{"no place", func(in *patch.Input) { in.Locations[0] = nil }, "was not found"},
		{"another language", func(in *patch.Input) { in.Locations[0][0].Language = "python" }, "Go code only"},
		{"another service's code", func(in *patch.Input) { in.Locations[0][0].File = "other/other.go" }, "does not belong"},
		{"a test", func(in *patch.Input) { in.Locations[0][0].File = "pay/client_test.go" }, "is a test"},
		{"no function", func(in *patch.Input) { in.Locations[0][0].Line = 1 }, "is in no function"},
		{"a link", func(in *patch.Input) { in.Locations[0][0].File = "pay/absent.go" }, "no plain source"},
		{"hidden characters", func(in *patch.Input) {
			in.Base.(fstest.MapFS)["pay/client.go"].Data = []byte(strings.Replace(shopSource, "ErrDown\n}", "ErrDown // \u202eevil\n}", 1))
		}, "cannot see"},
		{"a long function", func(in *patch.Input) {
			in.Base.(fstest.MapFS)["pay/client.go"].Data = []byte(strings.Replace(shopSource, "\treturn ErrDown\n", strings.Repeat("\t_ = amount\n", 120)+"\treturn ErrDown\n", 1))
		}, "too long"},
		{"no test can be made", func(in *patch.Input) {
			in.Base.(fstest.MapFS)["pay/client.go"].Data = []byte(strings.Replace(shopSource, "(ctx context.Context, amount int) error {\n\tif", "(ctx context.Context, amount int, _ int) error {\n\tif", 1))
		}, "no change of it could be switched"},
	} {
		t.Run(test.name, func(t *testing.T) {
			in := shop()
			test.change(in)
			plan := patch.Ladder(in, New(&played{}, Options{}))
			if len(plan.Options) != 0 {
				t.Fatalf("options %+v", plan.Options)
			}
			for _, l := range plan.Left {
				if strings.Contains(l.Why, test.want) {
					return
				}
			}
			t.Errorf("left %+v, want a reason with %q", plan.Left, test.want)
		})
	}
}

func TestASmallModelChoosesWhereRecipesApply(t *testing.T) {
	m := &played{say: says(answerOf(goodEdit)), weights: 135_000_000}
	if _, err := draft(t, m, shop(), Options{Recipes: []patch.Recipe{tunable{}}}); err == nil || len(m.asked) != 0 {
		t.Errorf("a small model was asked for code although a recipe applies: %v", err)
	}
	if _, err := draft(t, m, shop(), Options{}); err != nil {
		t.Errorf("a small model was not asked where no recipe applies: %v", err)
	}
}
