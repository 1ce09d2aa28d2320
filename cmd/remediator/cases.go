package main

import (
	"context"
	"fmt"
	"io"
	"net/url"
	"slices"
	"strings"
	"text/tabwriter"
	"time"
	"unicode"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/internal/config"
	"github.com/remediator/remediator/internal/web"
)

const casesHelp = `These commands talk to a running service over its API. They find it at --url or
$REMEDIATOR_URL, and show it the token in --token-file or $REMEDIATOR_TOKEN; on the service's own
machine, where it is bound to loopback, neither is needed.

CASE is a fingerprint or its first 8 digits or more.`

func casesCommand(io stdio) *cobra.Command {
	client := &casesClient{}
	c := &cobra.Command{
		Use: "cases", Short: "List and decide on the cases of a running service", Long: casesHelp, Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.PersistentFlags().StringVar(&client.url, "url", "", "address of the service (default $REMEDIATOR_URL, else http://"+config.DefaultListen+")")
	c.PersistentFlags().StringVar(&client.tokenFile, "token-file", "", "file that holds the token (default: the token in $REMEDIATOR_TOKEN)")
	c.AddCommand(casesList(io, client), casesShow(io, client),
		casesAct(io, client, "approve", "Let a held case go on", "  remediator cases approve 3f2a9c10 --reason \"read the diff\""),
		casesAct(io, client, "reject", "Say no to a case, for good", "  remediator cases reject 3f2a9c10 --reason \"the validation is right\""),
		casesAct(io, client, "retry", "Have a case worked out anew", "  remediator cases retry 3f2a9c10"),
	)
	return c
}

func casesList(io stdio, client *casesClient) *cobra.Command {
	var f format
	var stages []string
	var repository, service, since string
	var limit int
	c := &cobra.Command{
		Use: "list", Short: "List cases, newest first", Args: noArgs,
		Example: "  remediator cases list --stage held\n  remediator cases list --since 24h --format json",
		RunE: func(c *cobra.Command, _ []string) error {
			if err := f.check(); err != nil {
				return err
			}
			q := url.Values{}
			set := func(name, value string) {
				if value != "" {
					q.Set(name, value)
				}
			}
			set("stage", strings.Join(stages, ","))
			set("repository", repository)
			set("service", service)
			if since != "" {
				at, err := sinceTime(since, time.Now())
				if err != nil {
					return err
				}
				q.Set("since", at.Format(time.RFC3339))
			}
			if limit < 1 {
				return usage("--limit is at least 1, got %d", limit)
			}
			list, err := client.list(c.Context(), q, limit)
			if err != nil {
				return err
			}
			if f.json() {
				return writeJSON(io.out, list)
			}
			return printCases(io.out, list, time.Now())
		},
	}
	c.Flags().StringSliceVar(&stages, "stage", nil, "only cases at these stages, such as held,proposed")
	c.Flags().StringVar(&repository, "repository", "", "only cases of this repository, owner/name")
	c.Flags().StringVar(&service, "service", "", "only cases about this service")
	c.Flags().StringVar(&since, "since", "", "only cases that changed since a time (2026-01-31T08:00:00Z) or an age (24h)")
	c.Flags().IntVar(&limit, "limit", 50, "most cases to list")
	f.bind(c)
	return c
}

// sinceTime reads a moment or an age.
func sinceTime(value string, now time.Time) (time.Time, error) {
	if age, err := time.ParseDuration(value); err == nil && age >= 0 {
		return now.Add(-age).UTC(), nil
	}
	at, err := time.Parse(time.RFC3339, value)
	if err != nil {
		return time.Time{}, usage("--since %q is neither a time such as 2026-01-31T08:00:00Z nor an age such as 24h", value)
	}
	return at, nil
}

func casesShow(io stdio, client *casesClient) *cobra.Command {
	var f format
	c := &cobra.Command{
		Use: "show CASE", Short: "Show what is known of one case", Args: oneArg("a case's fingerprint"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			one, raw, err := client.show(c.Context(), args[0])
			if err != nil {
				return err
			}
			if f.json() {
				return writeJSON(io.out, raw)
			}
			return printCase(io.out, one, time.Now())
		},
	}
	f.bind(c)
	return c
}

func casesAct(io stdio, client *casesClient, action, short, example string) *cobra.Command {
	var f format
	var reason string
	c := &cobra.Command{
		Use: action + " CASE", Short: short, Example: example, Args: oneArg("a case's fingerprint"),
		RunE: func(c *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			answer, err := client.act(c.Context(), args[0], action, reason)
			if err != nil {
				return err
			}
			if f.json() {
				return writeJSON(io.out, answer)
			}
			fmt.Fprintln(io.out, oneLine(answer.Answer))
			if answer.Case != nil {
				fmt.Fprintf(io.out, "%s  %s\n", answer.Case.Stage, oneLine(answer.Case.Title))
			}
			return nil
		},
	}
	c.Flags().StringVar(&reason, "reason", "", "why, kept with the case")
	f.bind(c)
	return c
}

func printCases(w io.Writer, list web.List, now time.Time) error {
	if len(list.Cases) == 0 {
		_, err := fmt.Fprintln(w, "no case fits")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "CASE\tSTAGE\tSEVERITY\tAGE\tTITLE")
	for _, c := range list.Cases {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\n", oneLine(c.Fingerprint[:min(10, len(c.Fingerprint))]), oneLine(string(c.Stage)), oneLine(string(c.Severity)), age(now.Sub(c.FirstAlert)), oneLine(c.Title))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	if n := list.Total - len(list.Cases); n > 0 {
		fmt.Fprintf(w, "%d more; raise --limit or filter\n", n)
	}
	return nil
}

func printCase(w io.Writer, c *web.Case, now time.Time) error {
	fmt.Fprintf(w, "%s\n%s\n\n", oneLine(c.Title), oneLine(c.Why))
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	line := func(name, value string) {
		if value = oneLine(value); value != "" {
			fmt.Fprintf(t, "%s\t%s\n", name, value)
		}
	}
	line("case", c.Fingerprint)
	line("stage", string(c.Stage))
	line("severity", string(c.Incident.Severity))
	line("repository", c.Repository)
	line("alerts", fmt.Sprintf("%d, first %s ago", c.Alerts, age(now.Sub(c.FirstAlert))))
	if s := c.Summary; s != nil {
		line("service", s.Service)
		line("change", strings.TrimSpace(s.Rung+" "+s.Recipe))
		if s.Commit != "" {
			line("branch", s.Branch)
			line("commit", s.Commit)
			line("proved", map[bool]string{true: "yes", false: "no"}[s.Proved])
		}
		line("next", s.Next)
	}
	if c.Pull != nil {
		line("pull", fmt.Sprintf("%s (%s)", c.Pull.URL, c.Pull.State))
	}
	if d := c.Decision; d != nil {
		line("decision", fmt.Sprintf("%s by %s: %s", map[bool]string{true: "approved", false: "rejected"}[d.Approve], d.By, d.Reason))
	}
	line("joined to", c.JoinedTo)
	line("page", c.URL)
	if err := t.Flush(); err != nil {
		return err
	}
	if len(c.History) > 0 {
		fmt.Fprintln(w)
	}
	for _, e := range c.History {
		by := ""
		if e.By != "" {
			by = " (" + e.By + ")"
		}
		fmt.Fprintf(w, "%s  %s\n", e.At.UTC().Format("2006-01-02 15:04:05"), oneLine(e.Text+by))
	}
	if c.Waiting {
		fmt.Fprint(w, "\nIt waits for a person:\n")
		for _, verb := range []string{"approve", "reject", "retry"} { // as far as they lead anywhere now
			if slices.Contains(c.Actions, verb) {
				fmt.Fprintf(w, "  remediator cases %s %s --reason \"...\"\n", verb, c.Fingerprint[:min(10, len(c.Fingerprint))])
			}
		}
	}
	return nil
}

func age(d time.Duration) string {
	switch {
	case d < 0:
		return "0 s"
	case d < time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}

// oneLine makes text of a case fit for a terminal: no escape sequences, no direction overrides.
func oneLine(s string) string {
	return strings.Join(strings.Fields(strings.Map(func(r rune) rune {
		switch {
		case unicode.IsSpace(r):
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r), r == unicode.ReplacementChar:
			return -1
		}
		return r
	}, s)), " ")
}

// casesClient speaks to the API of a service.
type casesClient struct{ url, tokenFile string }

func (k *casesClient) list(ctx context.Context, q url.Values, limit int) (web.List, error) {
	out := web.List{Cases: []web.Item{}}
	for {
		q.Set("limit", fmt.Sprint(min(limit-len(out.Cases), 200)))
		var page web.List
		if err := k.get(ctx, "/cases?"+q.Encode(), &page); err != nil {
			return out, err
		}
		out.Cases, out.Total, out.Next = append(out.Cases, page.Cases...), page.Total, page.Next
		if page.Next == "" || len(page.Cases) == 0 || len(out.Cases) >= limit {
			return out, nil
		}
		q.Set("cursor", page.Next)
	}
}
