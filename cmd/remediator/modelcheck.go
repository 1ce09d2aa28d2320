package main

import (
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/llm"
	"github.com/remediator/remediator/patch/modelrecipe"
)

func modelCommand(io stdio) *cobra.Command {
	c := &cobra.Command{
		Use:   "model",
		Short: "Look at a local model server, and measure what its model is worth",
		Args:  noArgs,
		RunE:  func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(modelCheckCommand(io), modelEvalCommand(io))
	return c
}

// checked is a model as `model check` prints it.
type checked struct {
	URL string `json:"url"`
	modelrecipe.Description
	Small bool    `json:"small"` // asked to choose rather than to write where recipes apply
	Found float64 `json:"found_in_seconds"`
}

func modelCheckCommand(io stdio) *cobra.Command {
	var o modelOptions
	var f format
	c := &cobra.Command{
		Use:   "check [--model-url URL] [--model NAME]",
		Short: "Say what a model server is found to be: context, dialect, digest",
		Long: `Asks the server what it is, and tries what it does not say: how it holds an answer to a
schema, and how long a prompt it really reads. Without --model-url the usual ports of this
machine are looked at.`,
		Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if o.url == "" {
				found := llm.Find(c.Context(), llm.Usual(), 2*time.Second)
				if len(found) == 0 {
					return machineError(fmt.Errorf("no model server answers on the usual ports (11434, 8080, 8000, 1234); start one, or name it with --model-url"))
				}
				o.url, o.name = found[0].URL, first(o.name, found[0].Models[0])
			}
			client, _, err := o.client(config.Model{})
			if err != nil {
				return err
			}
			defer client.Close()
			start := time.Now()
			d, err := client.Describe(c.Context())
			if err != nil {
				return machineError(err)
			}
			out := checked{URL: client.URL(), Description: d, Small: d.Small(), Found: time.Since(start).Seconds()}
			if f.json() {
				return writeJSON(io.out, out)
			}
			return printModel(io.out, out)
		},
	}
	o.bind(c)
	f.bind(c)
	return c
}

func printModel(to io.Writer, m checked) error {
	w := tabwriter.NewWriter(to, 0, 0, 2, ' ', 0)
	digest := first(m.Digest, "not known: the server does not say")
	fmt.Fprintf(w, "server\t%s at %s\nmodel\t%s\ndigest\t%s\n", m.Server, m.URL, m.Name, digest)
	if m.Weights > 0 {
		asked := "asked for edits"
		if m.Small {
			asked = "small: asked to choose where recipes apply, and for edits where none does"
		}
		fmt.Fprintf(w, "weights\t%d million, %s\n", m.Weights/1e6, asked)
	}
	fmt.Fprintf(w, "context\t%d tokens, from %s\nschema\theld by %s\ntokens\tcounted %s\nfound in\t%.1f s\n", m.Context, m.ContextFrom, m.Dialect, m.Counting, m.Found)
	return w.Flush()
}
