package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/internal/config"
)

func configCommand(io stdio) *cobra.Command {
	c := &cobra.Command{Use: "config", Short: "Propose, check and describe " + config.File, Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(configInitCommand(io), configValidateCommand(io), configSchemaCommand(io))
	return c
}

func configInitCommand(io stdio) *cobra.Command {
	var write, server bool
	c := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Read a repository and propose a configuration for it",
		Long: `Reads the repository and prints a configuration with its services and their build, test
and run commands, with a comment wherever something was guessed. With --server it prints a
configuration of ` + "`remediator serve`" + ` to start from; DIR is where --write puts it.`,
		Args: maximumOneArg,
		RunE: func(_ *cobra.Command, args []string) error {
			dir, name := ".", config.File
			if len(args) == 1 {
				dir = args[0]
			}
			if info, err := os.Stat(dir); err != nil {
				return inputError(fmt.Errorf("%w: name the directory of a repository", err))
			} else if !info.IsDir() {
				return inputError(fmt.Errorf("%s is not a directory: name the directory of a repository", dir))
			}
			text, again := config.InitServer(), "--server "
			if server {
				name = config.ServerFile
			} else {
				proposal, notes, err := config.Init(os.DirFS(dir))
				if err != nil {
					return inputError(fmt.Errorf("%s: %w", dir, err))
				}
				for _, n := range notes {
					fmt.Fprintln(io.err, "note:", n)
				}
				text, again = proposal, ""
			}
			if !write {
				_, err := io.out.Write(text)
				return err
			}
			f, err := os.OpenFile(filepath.Join(dir, name), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if errors.Is(err, fs.ErrExist) {
				return inputError(fmt.Errorf("%s exists already: compare it with what `remediator config init %s%s` prints", filepath.Join(dir, name), again, dir))
			} else if err != nil {
				return inputError(err)
			}
			_, err = f.Write(text)
			if err = errors.Join(err, f.Close()); err != nil {
				return machineError(errors.Join(err, os.Remove(f.Name()))) // half a configuration is none
			}
			return nil
		},
	}
	c.Flags().BoolVar(&write, "write", false, "write the file instead of printing it; never overwrites")
	c.Flags().BoolVar(&server, "server", false, "the configuration of remediator serve, "+config.ServerFile)
	return c
}

func configValidateCommand(io stdio) *cobra.Command {
	var f format
	var server bool
	c := &cobra.Command{
		Use:   "validate [FILE]",
		Short: "Check a configuration; every mistake is named with its line and its fix",
		Long: `Checks FILE, ` + config.File + ` when none is named; with --server a configuration of
` + "`remediator serve`" + `, ` + config.ServerFile + ` when none is named. What is allowed and may still not be meant, such
as a secret that is missing or that others can read, is printed as a warning.`,
		Args: maximumOneArg,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			name := config.File
			if server {
				name = config.ServerFile
			}
			if len(args) == 1 {
				name = args[0]
			}
			warnings, err := checkConfig(name, server)
			var problems *config.Error
			switch {
			case errors.As(err, &problems) && f.json():
				if err := writeJSON(io.out, problems.Problems); err != nil {
					return err
				}
				return quiet(exitNo)
			case problems != nil:
				problems.File = name
				return coded(exitNo, problems)
			case err != nil:
				return inputError(err)
			}
			for _, w := range warnings {
				fmt.Fprintln(io.err, "warning:", w)
			}
			if f.json() {
				return writeJSON(io.out, []config.Problem{})
			}
			_, err = fmt.Fprintf(io.out, "%s is valid\n", name)
			return err
		},
	}
	f.bind(c)
	c.Flags().BoolVar(&server, "server", false, "FILE is a configuration of remediator serve")
	return c
}

// checkConfig reads and checks a configuration. Its error is a *config.Error where the file is wrong.
func checkConfig(name string, server bool) ([]config.Problem, error) {
	if server {
		s, err := config.LoadServer(name)
		if err != nil {
			return nil, err
		}
		return s.Warnings(), nil
	}
	text, err := readInput(name)
	if err != nil {
		return nil, err
	}
	_, err = config.Parse(text)
	return nil, err
}

func configSchemaCommand(io stdio) *cobra.Command {
	var server bool
	c := &cobra.Command{Use: "schema", Short: "Print the JSON Schema of " + config.File, Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			schema := config.Schema
			if server {
				schema = config.ServerSchema
			}
			_, err := io.out.Write(schema())
			return err
		}}
	c.Flags().BoolVar(&server, "server", false, "the schema of remediator serve's configuration")
	return c
}
