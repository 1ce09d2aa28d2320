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
	var write bool
	c := &cobra.Command{
		Use:   "init [DIR]",
		Short: "Read a repository and propose a configuration for it",
		Long: `Reads the repository and prints a configuration with its services and their build, test
and run commands, with a comment wherever something was guessed.`,
		Args: maximumOneArg,
		RunE: func(_ *cobra.Command, args []string) error {
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			text, notes, err := config.Init(os.DirFS(dir))
			if err != nil {
				return inputError(err)
			}
			for _, n := range notes {
				fmt.Fprintln(io.err, "note:", n)
			}
			if !write {
				_, err = io.out.Write(text)
				return err
			}
			f, err := os.OpenFile(filepath.Join(dir, config.File), os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o644)
			if errors.Is(err, fs.ErrExist) {
				return inputError(fmt.Errorf("%s exists already: compare it with what `remediator config init %s` prints", filepath.Join(dir, config.File), dir))
			} else if err != nil {
				return inputError(err)
			}
			_, err = f.Write(text)
			return errors.Join(err, f.Close())
		},
	}
	c.Flags().BoolVar(&write, "write", false, "write "+config.File+" instead of printing it; never overwrites")
	return c
}

func configValidateCommand(io stdio) *cobra.Command {
	var f format
	c := &cobra.Command{
		Use:   "validate [FILE]",
		Short: "Check a configuration; every mistake is named with its line and its fix",
		Args:  maximumOneArg,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			name := config.File
			if len(args) == 1 {
				name = args[0]
			}
			text, err := readInput(name)
			if err != nil {
				return inputError(err)
			}
			_, err = config.Parse(text)
			var problems *config.Error
			switch {
			case err == nil && f.json():
				return writeJSON(io.out, []config.Problem{})
			case err == nil:
				_, err = fmt.Fprintf(io.out, "%s is valid\n", name)
				return err
			case errors.As(err, &problems) && f.json():
				if err := writeJSON(io.out, problems.Problems); err != nil {
					return err
				}
				return quiet(exitNo)
			}
			return coded(exitNo, fmt.Errorf("%s: %w", name, err))
		},
	}
	f.bind(c)
	return c
}

func configSchemaCommand(io stdio) *cobra.Command {
	return &cobra.Command{Use: "schema", Short: "Print the JSON Schema of " + config.File, Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			_, err := io.out.Write(config.Schema())
			return err
		}}
}
