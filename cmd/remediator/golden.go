package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/replay"
)

func goldenCommand(io stdio) *cobra.Command {
	c := &cobra.Command{Use: "golden", Short: "Check golden trace sets, and seal those that were edited by hand", Args: noArgs,
		RunE: func(c *cobra.Command, _ []string) error { return c.Help() }}
	c.AddCommand(goldenCheckCommand(io), goldenSealCommand(io))
	return c
}

func goldenCheckCommand(io stdio) *cobra.Command {
	return &cobra.Command{
		Use:   "check FILE...",
		Short: "Say whether golden trace sets are well formed and unchanged since they were sealed",
		Args:  cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("name at least one golden trace set")
			}
			bad := false
			for _, name := range args {
				set, err := readSet(name)
				if err != nil {
					bad = true
					fmt.Fprintf(io.err, "%s: %v\n", name, err)
					continue
				}
				fmt.Fprintf(io.out, "%s: %d cases of %s, recorded at commit %s\n", name, len(set.Cases), set.Service, set.Recorded.Commit)
			}
			if bad {
				return quiet(exitNo)
			}
			return nil
		},
	}
}

func readSet(name string) (*replay.Set, error) {
	text, err := readInput(name)
	if err != nil {
		return nil, err
	}
	return replay.ReadSet(bytes.NewReader(text))
}

func goldenSealCommand(io stdio) *cobra.Command {
	return &cobra.Command{
		Use:   "seal FILE",
		Short: "Seal a golden trace set after it was edited and reviewed",
		Long: `Computes the integrity digest anew and writes the set in its canonical form. Review the change
first: from then on it is what every build is compared with.`,
		Args: oneArg("the file of a golden trace set"),
		RunE: func(_ *cobra.Command, args []string) error {
			text, err := readInput(args[0])
			if err != nil {
				return inputError(err)
			}
			var set replay.Set
			dec := json.NewDecoder(bytes.NewReader(text))
			dec.DisallowUnknownFields()
			if err := dec.Decode(&set); err != nil {
				return inputError(fmt.Errorf("%s: %w", args[0], err))
			}
			if set.Integrity, err = set.Digest(); err != nil {
				return inputError(fmt.Errorf("%s: %w", args[0], err))
			}
			var out bytes.Buffer
			if err := replay.WriteSet(&out, &set); err != nil {
				return inputError(fmt.Errorf("%s: %w", args[0], err))
			}
			// A new file beside the old one, so that a full disk leaves the old one whole.
			tmp := args[0] + ".new"
			if err := os.WriteFile(tmp, out.Bytes(), 0o644); err != nil {
				return machineError(err)
			}
			if err := os.Rename(tmp, args[0]); err != nil {
				return machineError(err)
			}
			_, err = fmt.Fprintf(io.out, "%s: %d cases, %s\n", filepath.Base(args[0]), len(set.Cases), set.Integrity)
			return err
		},
	}
}
