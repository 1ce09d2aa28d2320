package main

import (
	"crypto/rand"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"fmt"
	"slices"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/internal/config"
)

// tokenBytes are enough that a hash of them needs no salt.
const tokenBytes = 32

func tokenCommand(io stdio) *cobra.Command {
	var name, role string
	var f format
	c := &cobra.Command{
		Use:   "token --name NAME --role ROLE",
		Short: "Make a token for the API and the page, and what the configuration needs of it",
		Long: `Prints a new token and the entry for "tokens" in the configuration of the service. The
configuration holds the token's hash alone: keep the token, it cannot be shown again.`,
		Example: "  remediator app token --name oncall --role approve",
		Args:    noArgs,
		RunE: func(*cobra.Command, []string) error {
			if err := f.check(); err != nil {
				return err
			}
			if name == "" {
				return usage("--name is required: it stands in the history of what is decided with the token")
			}
			if !slices.Contains(config.Roles(), role) {
				return usage("--role %q: choose one of %v", role, config.Roles())
			}
			secret := make([]byte, tokenBytes)
			if _, err := rand.Read(secret); err != nil {
				return machineError(err)
			}
			token := base64.RawURLEncoding.EncodeToString(secret)
			sum := sha256.Sum256([]byte(token))
			hash := hex.EncodeToString(sum[:])
			if f.json() {
				return writeJSON(io.out, map[string]string{"token": token, "name": name, "role": role, "sha256": hash})
			}
			_, err := fmt.Fprintf(io.out, "token  %s\n\ntokens:\n  - {name: %q, role: %s, sha256: %s}\n", token, name, role, hash)
			return err
		},
	}
	c.Flags().StringVar(&name, "name", "", "whom or what it is for (required)")
	c.Flags().StringVar(&role, "role", "read", "read, approve or administer")
	f.bind(c)
	return c
}
