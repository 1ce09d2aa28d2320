package main

import (
	"bytes"
	"encoding/json"
	"errors"
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
		Long: `Exit code 5: a set is malformed, or was changed since it was sealed. Exit code 3: a file cannot be
read.`,
		Args: cobra.ArbitraryArgs,
		RunE: func(_ *cobra.Command, args []string) error {
			if len(args) == 0 {
				return usage("name at least one golden trace set")
			}
			worst := exitOK
			for _, name := range args {
				text, err := readInput(name)
				if err != nil {
					worst = exitInput
					fmt.Fprintln(io.err, harmless(fmt.Sprintf("remediator: %v", err)))
					continue
				}
				set, err := replay.ReadSet(bytes.NewReader(text))
				if err != nil {
					if worst == exitOK {
						worst = exitNo
					}
					fmt.Fprintln(io.err, harmless(fmt.Sprintf("%s: %v", name, err)))
					continue
				}
				fmt.Fprintln(io.out, harmless(fmt.Sprintf("%s: %d cases of %s, recorded at commit %s", name, len(set.Cases), set.Service, set.Recorded.Commit)))
			}
			if worst != exitOK {
				return quiet(worst)
			}
			return nil
		},
	}
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
			if err := replaceFile(args[0], out.Bytes()); err != nil {
				return machineError(err)
			}
			_, err = fmt.Fprintln(io.out, harmless(fmt.Sprintf("%s: %d cases, %s", filepath.Base(args[0]), len(set.Cases), set.Integrity)))
			return err
		},
	}
}

// replaceFile writes a new file beside the old one and puts it in its place, so that a full disk leaves the old one whole.
func replaceFile(name string, text []byte) error {
	f, err := os.CreateTemp(filepath.Dir(name), "."+filepath.Base(name)+".*")
	if err != nil {
		return err
	}
	_, err = f.Write(text)
	if err = errors.Join(err, f.Chmod(0o644), f.Sync(), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		return errors.Join(err, os.Remove(f.Name()))
	}
	return nil
}
