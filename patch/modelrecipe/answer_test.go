package modelrecipe

import (
	"bytes"
	"encoding/json"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestAnswersAsModelsWriteThem(t *testing.T) {
	for name, text := range map[string]string{
		"bare":            `{"a":1}`,
		"fence":           "```json\n{\"a\":1}\n```",
		"words around":    "Sure! Here it is:\n\n```\n{\"a\":1}\n```\nThis sleeps {a bit} between attempts.",
		"braces in words": "In Go {x} is a block. {\"a\":1}",
		"thoughts":        "<think>\nMaybe {\"a\":2}?\n</think>\n\n{\"a\":1}",
		"template's open": "Maybe {\"a\":2}?</think>{\"a\":1}",
		"channels":        "<|channel|>analysis<|message|>hm {\"a\":2}<|end|><|start|>assistant<|channel|>final<|message|>{\"a\":1}",
		"call":            `{"name":"answer","arguments":{"a":1}}`,
		"call in a text":  `<tool_call>{"name":"answer","arguments":"{\"a\":1}"}</tool_call>`,
		"parameters":      `{"name":"answer","parameters":{"a":1}}`,
		"function":        `{"type":"function","function":{"name":"answer","arguments":{"a":1}}}`,
		"calls":           `{"tool_calls":[{"function":{"name":"answer","arguments":"{\"a\":1}"}}]}`,
		"said twice":      "{\"a\":1}\n{\"a\":1}",
	} {
		doc, err := object(text)
		var v map[string]int
		if err != nil || json.Unmarshal(doc, &v) != nil || v["a"] != 1 || len(v) != 1 {
			t.Errorf("%s: %s, %v", name, doc, err)
		}
	}
	for text, want := range map[string]string{
		"":                         "no JSON object",
		"[1,2]":                    "no JSON object",
		`{"a":1`:                   "cut off",
		`{"a":[{"b":1},`:           "cut off",
		"```json\n{\"a\": \"x":     "cut off",
		`{"a":1}{"a":2}`:           "more than one",
		"<think>{\"a\":1}":         "thinks aloud",
		"I'm sorry, but I can't.":  "no JSON object",
		"\x00{\"a\":1}":            "not a text",
		strings.Repeat("{", 1000):  "no JSON object",
		strings.Repeat(" ", 2<<20): "longer than",
		`{"tool_calls":[{"function":{"arguments":{}}},{"function":{}}]}`: "more than one",
	} {
		if doc, err := object(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%.40q: %s, %v, want %q", text, doc, err, want)
		}
	}
}

func FuzzAnswer(f *testing.F) {
	f.Add(`{"reason":"r","edits":[{"path":"p","old":"o","new":"n"}],"imports":["time"]}`)
	f.Add("<think>x</think>```json\n{\"reason\":\"r\"}\n```")
	f.Add(`{"name":"x","arguments":"{\"edits\":[]}"}`)
	f.Add(`{"tool_calls":[{"function":{"arguments":{"reason":"r"}}}]}`)
	f.Add(`{"edits":[{"path":"p","Path":"q"}]}`)
	f.Fuzz(func(t *testing.T, text string) {
		doc, err := object(text)
		if err != nil {
			return
		}
		if len(doc) == 0 || doc[0] != '{' || !json.Valid(doc) {
			t.Fatalf("%q is no object", doc)
		}
		var a editAnswer
		if strict(doc, &a) != nil {
			return
		}
		var again editAnswer
		if err := json.Unmarshal(doc, &again); err != nil || len(again.Edits) != len(a.Edits) {
			t.Errorf("read twice it is not the same: %v", err)
		}
	})
}

func FuzzEdits(f *testing.F) {
	f.Add("one two three", "two", "2", 0, 13)
	f.Add("aaa", "aa", "b", 0, 3)
	f.Add("x\n\ty\n", "\ty\n", "", 1, 4)
	f.Fuzz(func(t *testing.T, src, old, text string, from, to int) {
		out, err := apply([]byte(src), "p", stretch{from, to}, []edit{{Path: "p", Old: old, New: text}})
		if err != nil {
			return
		}
		at := strings.Index(src, old)
		if strings.Count(src, old) != 1 || at < from || at+len(old) > to || string(out) != src[:at]+text+src[at+len(old):] {
			t.Errorf("%q with %q for %q in %d-%d becomes %q", src, text, old, from, to, out)
		}
	})
}

// TestEditsTouchOnlyWhatTheyName applies several edits in any order.
func TestEditsTouchOnlyWhatTheyName(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.IntRange(1, maxEdits).Draw(t, "edits")
		var src, want bytes.Buffer
		var list []edit
		for i := range n {
			old := strings.Repeat("<"+string(rune('a'+i))+">", 2)
			text := rapid.StringMatching(`[a-z ]{0,10}`).Draw(t, "new")
			gap := rapid.StringMatching(`[0-9\n]{0,5}`).Draw(t, "gap")
			src.WriteString(gap + old)
			want.WriteString(gap + text)
			list = append(list, edit{Path: "p", Old: old, New: text})
		}
		list = rapid.Permutation(list).Draw(t, "order")
		out, err := apply(src.Bytes(), "p", stretch{0, src.Len()}, list)
		if err != nil || !bytes.Equal(out, want.Bytes()) {
			t.Fatalf("%q becomes %q, want %q: %v", src.String(), out, want.String(), err)
		}
	})
}

func TestEditsThatOverlap(t *testing.T) {
	_, err := apply([]byte("abcdef"), "p", stretch{0, 6}, []edit{{"p", "abc", "x"}, {"p", "cde", "y"}})
	if err == nil || !strings.Contains(err.Error(), "overlap") {
		t.Error(err)
	}
	many := make([]edit, maxEdits+1)
	if _, err := apply([]byte("a"), "p", stretch{0, 1}, many); err == nil || !strings.Contains(err.Error(), "more than") {
		t.Error(err)
	}
}
