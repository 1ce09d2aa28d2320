package llm_test

import (
	"context"
	"encoding/json"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/remediator/remediator/internal/llm"
	"github.com/remediator/remediator/internal/llm/llmtest"
	"github.com/remediator/remediator/patch/modelrecipe"
)

const schema = `{"type":"object","additionalProperties":false,"required":["edits"],"properties":{"edits":{"type":"array","minItems":1,"maxItems":2,"items":{"type":"object","additionalProperties":false,"required":["path","old","new"],
"properties":{"path":{"type":"string","enum":["a.go"]},"old":{"type":"string"},"new":{"type":"string"}}}}}}`

// TestRealModel asks a real server of a real model what recorded exchanges can only pretend.
func TestRealModel(t *testing.T) {
	if testing.Short() {
		t.Skip("a real model takes a minute")
	}
	url := llmtest.Start(t, 4096)
	c, err := llm.New(llm.Options{URL: url, Timeout: 3 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	d, err := c.Describe(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	if d.Name != llmtest.Name || d.Server != "llama-cpp-python" || d.Context != 4096 || d.Dialect != "json_object with schema" || d.Counting != "by the server" || d.Digest != "" || !d.Small() {
		t.Errorf("found to be %+v", d)
	}
	if n := c.Count(t.Context(), "func main() {}"); n < 4 || n > 14 {
		t.Errorf("counted %d tokens", n)
	}

	t.Run("answers are of the form", func(t *testing.T) {
		q := modelrecipe.Question{System: "You repair programs.", User: "Mend a.go.", Schema: json.RawMessage(schema), MaxTokens: 200, Seed: 3, Temperature: 0.1}
		a, err := c.Ask(t.Context(), q)
		if err != nil {
			t.Fatal(err)
		}
		var v struct {
			Edits []struct{ Path string }
		}
		if err := json.Unmarshal([]byte(a.Text), &v); err == nil {
			if len(v.Edits) == 0 || v.Edits[0].Path != "a.go" {
				t.Errorf("the schema was not kept: %s", a.Text)
			}
		} else if !a.Cut {
			t.Errorf("neither JSON nor cut off: %q", a.Text)
		}
	})
	long := modelrecipe.Question{User: strings.Repeat("Count on from one to a thousand. ", 20), MaxTokens: 3000, Seed: 1, Temperature: 0.1}
	t.Run("a time-out ends it", func(t *testing.T) {
		hurried, err := llm.New(llm.Options{URL: url, Timeout: 50 * time.Millisecond})
		if err != nil {
			t.Fatal(err)
		}
		defer hurried.Close()
		if _, err := hurried.Ask(t.Context(), long); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("%v", err)
		}
	})
	t.Run("cancellation ends it, and the server is free again", func(t *testing.T) {
		ctx, cancel := context.WithTimeout(t.Context(), 2*time.Second)
		defer cancel()
		if _, err := c.Ask(ctx, long); err == nil {
			t.Skip("the model was done before it was cancelled")
		}
		short := modelrecipe.Question{User: "Say yes.", MaxTokens: 3, Seed: 1, Temperature: 0.1}
		if _, err := c.Ask(t.Context(), short); err != nil {
			t.Errorf("the next question: %v", err)
		}
	})
}
