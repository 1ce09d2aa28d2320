package main

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/internal/casedir"
	"github.com/remediator/remediator/internal/report"
	"github.com/remediator/remediator/remedy"
)

func explainCommand(io stdio) *cobra.Command {
	var f format
	c := &cobra.Command{
		Use:   "explain CASE",
		Short: "Tell a finished case again: what was found, what was considered, what was proved",
		Long:  "CASE is the output directory of a run, or its case.json.",
		Args:  oneArg("the directory of a case"),
		RunE: func(_ *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			cs, err := readCase(args[0])
			if err != nil {
				return inputError(err)
			}
			if f.json() {
				return writeJSON(io.out, cs)
			}
			report.Explain(io.out, cs)
			return nil
		},
	}
	f.bind(c)
	return c
}

func readCase(path string) (*remedy.Case, error) {
	if info, err := os.Stat(path); err == nil && info.IsDir() {
		path = filepath.Join(path, casedir.CaseFile)
	}
	raw, err := readInput(path)
	if os.IsNotExist(err) {
		return nil, fmt.Errorf("%s does not exist: name the --out directory of a finished run", path)
	} else if err != nil {
		return nil, err
	}
	var cs remedy.Case
	if err := json.Unmarshal(raw, &cs); err != nil {
		return nil, fmt.Errorf("%s is not a case: %w; name the --out directory of a finished run, or its %s", path, err, casedir.CaseFile)
	}
	if cs.Schema != remedy.Schema {
		return nil, fmt.Errorf("%s has schema %q, this version reads %q", path, cs.Schema, remedy.Schema)
	}
	return &cs, nil
}
