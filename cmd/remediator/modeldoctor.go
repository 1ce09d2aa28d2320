package main

import (
	"context"
	"fmt"
	"os"
	"strings"
	"time"

	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/llm"
	"github.com/remediator/remediator/patch/modelrecipe"
)

// What doctor gives a model server at most: an answer to whether it is there, and what it takes to find out what it is.
const (
	patienceForPort  = 2 * time.Second
	patienceForModel = 30 * time.Second
)

// examineModels looks at the model that the repository's configuration names, or else for servers on the usual
// ports. A model is never needed.
func examineModels(ctx context.Context, repo string) []finding {
	if conf, err := config.Load(os.DirFS(repo)); err == nil && conf.Model.URL != "" {
		return []finding{examineModel(ctx, conf.Model)}
	}
	return searchModels(ctx, llm.Usual())
}

func searchModels(ctx context.Context, urls []string) []finding {
	servers := llm.Find(ctx, urls, patienceForPort)
	if len(servers) == 0 {
		return []finding{{"model", "warning", "no model server answers on the usual ports", "none is needed; where one runs, name it with --model-url and it is asked when no recipe is proved"}}
	}
	var found []finding
	for _, s := range servers {
		if len(s.Models) > 1 {
			found = append(found, finding{"model", "ok", fmt.Sprintf("%s has %d models: %s", s.URL, len(s.Models), strings.Join(s.Models[:min(len(s.Models), 8)], ", ")),
				fmt.Sprintf("remediator model check --model-url %s --model NAME", s.URL)})
			continue
		}
		f := examineModel(ctx, config.Model{URL: s.URL, Name: s.Models[0]})
		if f.State == "ok" {
			f.Next = fmt.Sprintf("to have it asked when no recipe is proved: --model-url %s", s.URL)
		}
		found = append(found, f)
	}
	return found
}

func examineModel(ctx context.Context, m config.Model) finding {
	c, err := llm.New(llm.Options{URL: m.URL, Model: m.Name, Context: m.Context, Timeout: patienceForModel})
	if err != nil {
		return finding{"model", "missing", err.Error(), "mend model.url in " + config.File}
	}
	defer c.Close()
	ctx, cancel := context.WithTimeout(ctx, patienceForModel)
	defer cancel()
	d, err := c.Describe(ctx)
	if err != nil {
		return finding{"model", "warning", err.Error(), "cases go on without it; start the server, or check model.url and model.name"}
	}
	return finding{"model", "ok", describeModel(c.URL(), d), ""}
}

func describeModel(url string, d modelrecipe.Description) string {
	text := fmt.Sprintf("%s at %s (%s), context %d tokens from %s, answers held by %s", d.Name, url, d.Server, d.Context, d.ContextFrom, d.Dialect)
	if d.Small() {
		text += "; small, so it is asked to choose where recipes apply"
	}
	return text
}
