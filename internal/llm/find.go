package llm

import (
	"context"
	"sync"
	"time"
)

// Usual are the addresses at which model servers listen when nobody says otherwise: Ollama, llama.cpp,
// llama-cpp-python and vLLM, LM Studio.
func Usual() []string {
	return []string{"http://127.0.0.1:11434", "http://127.0.0.1:8080", "http://127.0.0.1:8000", "http://127.0.0.1:1234"}
}

// Found is a server that answered as a model server does.
type Found struct {
	URL    string   `json:"url"`
	Models []string `json:"models"`
}

// Find asks each address for its models and returns those that have some, in the order of the addresses. It
// takes no longer than patience.
func Find(ctx context.Context, urls []string, patience time.Duration) []Found {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	at := make([]Found, len(urls))
	var wg sync.WaitGroup
	for i, u := range urls {
		wg.Go(func() {
			c, err := New(Options{URL: u, Timeout: patience})
			if err != nil {
				return
			}
			defer c.Close()
			list, err := c.models(ctx)
			if err != nil {
				return
			}
			for _, m := range list {
				if m.ID != "" {
					at[i].Models = append(at[i].Models, short(m.ID))
				}
			}
			at[i].URL = u
		})
	}
	wg.Wait()
	var out []Found
	for _, f := range at {
		if len(f.Models) > 0 {
			out = append(out, f)
		}
	}
	return out
}
