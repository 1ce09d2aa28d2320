package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/internal/github"
)

const appHelp = `The GitHub App that the service acts as. Create it in three steps:

  remediator app manifest --url https://remediator.example.com --format html > app.html
  (open app.html, press the button, agree; GitHub sends you on with ?code=CODE)
  remediator app create --code CODE --out DIR

Then name the files in DIR in serve.yaml and install the App at the repositories.`

func appCommand(io stdio) *cobra.Command {
	c := &cobra.Command{
		Use: "app", Short: "Create the GitHub App of the service, and say what it asks for", Long: appHelp, Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() },
	}
	c.AddCommand(appManifestCommand(io), appPermissionsCommand(io), appCreateCommand(io), tokenCommand(io))
	return c
}

func appManifestCommand(io stdio) *cobra.Command {
	var at, name, site, owner, format string
	c := &cobra.Command{
		Use:   "manifest --url URL",
		Short: "Print the manifest from which GitHub creates the App",
		Long: `Prints the manifest in JSON, or with --format html a page with the form that posts it to GitHub.
Public is false: only the account that creates the App can install it.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if at == "" {
				return usage("--url is required: the address at which GitHub and people reach the service")
			}
			m, err := github.NewManifest(at, name)
			if err != nil {
				return usage("%w", err)
			}
			switch format {
			case "json":
				return writeJSON(io.out, m)
			case "html":
				page, err := m.Page(site, owner)
				if err != nil {
					return usage("%w", err)
				}
				_, err = io.out.Write(page)
				return err
			}
			return usage("unknown format %q: choose one of json, html", format)
		},
	}
	c.Flags().StringVar(&at, "url", "", "address of the service, as in https://remediator.example.com (required)")
	c.Flags().StringVar(&name, "name", "remediator", "name of the App; names are taken GitHub-wide")
	c.Flags().StringVar(&site, "github", "https://github.com", "address of GitHub's pages, for an Enterprise Server")
	c.Flags().StringVar(&owner, "organization", "", "organization that owns the App; default whoever is logged in")
	c.Flags().StringVar(&format, "format", "json", "output format: json, html")
	return c
}

func appPermissionsCommand(io stdio) *cobra.Command {
	var f format
	c := &cobra.Command{
		Use: "permissions", Short: "Say which permissions the App asks for, and why", Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if f.json() {
				return writeJSON(io.out, map[string]any{"permissions": github.Permissions(), "never": github.Never(), "events": github.Events()})
			}
			_, err := fmt.Fprint(io.out, github.PermissionTable())
			return err
		},
	}
	f.bind(c)
	return c
}

func appCreateCommand(io stdio) *cobra.Command {
	var code, out, api string
	c := &cobra.Command{
		Use:   "create --code CODE --out DIR",
		Short: "Trade the code of GitHub's redirect for the App's key and webhook secret",
		Long: `Trades the code for the App (POST /app-manifests/{code}/conversions) and writes app.pem and
webhook-secret into a directory that only you can read. GitHub tells both once.`,
		Args: noArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			switch {
			case code == "":
				return usage("--code is required: it stands behind code= in the address that GitHub sent you to")
			case out == "":
				return usage("--out is required: name a directory outside of any repository")
			}
			return createApp(cmd.Context(), io, api, code, out)
		},
	}
	c.Flags().StringVar(&code, "code", "", "code of GitHub's redirect (required)")
	c.Flags().StringVar(&out, "out", "", "directory for the key and the secret (required)")
	c.Flags().StringVar(&api, "api", "", "URL of the API, for an Enterprise Server: https://ghe.example.com/api/v3/")
	return c
}

// createApp prepares the directory before the code is spent, since the code works once.
func createApp(ctx context.Context, io stdio, api, code, out string) error {
	if err := os.MkdirAll(out, 0o700); err != nil {
		return machineError(err)
	}
	key, secret := filepath.Join(out, "app.pem"), filepath.Join(out, "webhook-secret")
	var files []*os.File
	for _, path := range []string{key, secret} {
		f, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
		if err != nil {
			return machineError(fmt.Errorf("%w; name a directory without an App in it", err))
		}
		defer f.Close()
		files = append(files, f)
	}
	app, err := github.CreateApp(ctx, github.Options{URL: api, Version: version()}, code)
	if err != nil {
		_, _ = os.Remove(key), os.Remove(secret)
		return machineError(err)
	}
	if app.WebhookSecret == "" {
		fmt.Fprintf(io.err, "GitHub made no webhook secret: make one, put it into %s and into the App's settings\n", secret)
	}
	for i, content := range [][]byte{app.PrivateKey, []byte(app.WebhookSecret)} {
		if _, err := files[i].Write(content); err != nil {
			return machineError(err)
		}
		if err := files[i].Close(); err != nil {
			return machineError(err)
		}
	}
	_, err = fmt.Fprintf(io.out, `made the App %s (%s)

github:
  app_id: %d
  private_key_file: %s
  webhook_secret_file: %s

put these lines into serve.yaml, then install the App at the repositories: %s/installations/new
`, app.Slug, app.URL, app.ID, key, secret, app.URL)
	return err
}
