package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/attest"
)

const passwordVariable = "COSIGN_PASSWORD"

func keygenCommand(io stdio) *cobra.Command {
	var out string
	c := &cobra.Command{
		Use:   "keygen --out DIR",
		Short: "Make a key pair for signing evidence and commits",
		Long: `Makes cosign.key and cosign.pub, in cosign's format: the cosign command line reads both. The
private key is encrypted with the passphrase in COSIGN_PASSWORD.`,
		Args: noArgs,
		RunE: func(*cobra.Command, []string) error {
			if out == "" {
				return usage("--out is required: name a directory outside of any repository")
			}
			passphrase, ok := os.LookupEnv(passwordVariable)
			if !ok {
				return machineError(fmt.Errorf("%s is not set: set it to the passphrase for the new key (empty for none)", passwordVariable))
			}
			if err := os.MkdirAll(out, 0o700); err != nil {
				return machineError(err)
			}
			private, public := filepath.Join(out, "cosign.key"), filepath.Join(out, "cosign.pub")
			if err := attest.WriteKeyPair(private, public, []byte(passphrase)); err != nil {
				return machineError(err)
			}
			_, err := fmt.Fprintf(io.out, "private key  %s\npublic key   %s\n", private, public)
			return err
		},
	}
	c.Flags().StringVar(&out, "out", "", "directory for the key pair (required)")
	return c
}

// signingKey loads a key, or makes one for this run alone.
func signingKey(path string) (*attest.Key, error) {
	if path != "" {
		key, err := attest.LoadKey(path, []byte(os.Getenv(passwordVariable)))
		if err != nil {
			return nil, fmt.Errorf("signing key: %w (make one with `remediator keygen --out DIR`)", err)
		}
		return key, nil
	}
	private, _, err := attest.GenerateKey(nil)
	if err != nil {
		return nil, fmt.Errorf("making a signing key: %w", err)
	}
	return attest.ParseKey(private, nil)
}
