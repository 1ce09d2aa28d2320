package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/remediator/remediator/attest"
	"github.com/remediator/remediator/internal/casedir"
	"github.com/remediator/remediator/internal/gitrepo"
)

func verifyCommand(io stdio) *cobra.Command {
	var f format
	var key, commit, repo string
	c := &cobra.Command{
		Use:   "verify [CASE]",
		Short: "Check every claim of a case offline: signature, files, commit, diff",
		Long: `CASE is the output directory of a run (default: the current one). Without --key the public key
that lies in the case is used, which shows that nothing was changed since signing, but
not who signed. Exit code 5: at least one claim is not proved; each broken claim is named.`,
		Example: "  remediator verify ./remediator-demo\n  remediator verify --key team.pub ./case-42\n  remediator verify --key team.pub --repo . --commit $(git rev-parse HEAD) ./evidence",
		Args:    maximumOneArg,
		RunE: func(_ *cobra.Command, args []string) error {
			if err := f.check(); err != nil {
				return err
			}
			dir := "."
			if len(args) == 1 {
				dir = args[0]
			}
			claims, err := verifyCase(dir, key, commit, repo)
			if err != nil {
				return inputError(err)
			}
			if f.json() {
				if err := writeJSON(io.out, claims); err != nil {
					return err
				}
			} else {
				printClaims(io, claims, key)
			}
			if !attest.Proved(claims) {
				return quiet(exitNo)
			}
			return nil
		},
	}
	c.Flags().StringVar(&key, "key", "", "public key to trust (default: signing.pub of the case)")
	c.Flags().StringVar(&commit, "commit", "", "commit that the evidence has to be about")
	c.Flags().StringVar(&repo, "repo", "", "repository that holds the commit, where the case came without its clone")
	f.bind(c)
	return c
}

func maximumOneArg(c *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usage("%s takes at most one argument, got %d", c.CommandPath(), len(args))
	}
	return nil
}

func verifyCase(dir, key, commit, repository string) ([]attest.Claim, error) {
	if info, err := os.Stat(dir); err == nil && !info.IsDir() {
		return nil, fmt.Errorf("%s is not a directory: name the --out directory of a finished run", dir)
	}
	bundle, err := readInput(filepath.Join(dir, casedir.EvidenceFile))
	if os.IsNotExist(err) {
		return nil, fmt.Errorf("%s holds no %s: name the --out directory of a finished run", dir, casedir.EvidenceFile)
	} else if err != nil {
		return nil, err
	}
	if key == "" {
		key = filepath.Join(dir, casedir.KeyFile)
	}
	public, err := attest.LoadPublicKey(key)
	if err != nil {
		// A key of the case that cannot be read is a broken claim, not a mistake of the caller.
		return []attest.Claim{{Name: "key", Why: err.Error()}}, nil
	}
	check := attest.Check{Bundle: bundle, Key: public, Dir: os.DirFS(dir), Ignore: []string{casedir.Repository, casedir.ProposalFile}, Expect: commit}
	if repository != "" {
		return verifyIn(repository, dir, check)
	}
	clone := filepath.Join(dir, casedir.Repository)
	_, statErr := os.Stat(clone)
	if statErr == nil {
		repo, err := gitrepo.Open(clone)
		if err == nil {
			check.Commits = repo
		}
	}
	claims := attest.Verify(check)
	if _, err := os.Stat(filepath.Join(dir, casedir.RepositorySums)); err == nil || statErr == nil {
		claims = append(claims, casedir.CheckRepository(dir))
	}
	return claims, nil
}

func printClaims(io stdio, claims []attest.Claim, key string) {
	broken := 0
	for _, c := range claims {
		mark := "proved"
		if !c.Proved {
			mark = "BROKEN"
			broken++
		}
		fmt.Fprintf(io.out, "%s  %-24s %s\n", mark, c.Name, c.Why)
	}
	switch {
	case broken > 0:
		fmt.Fprintf(io.out, "\n%d of %d claims are broken: do not trust this case.\n", broken, len(claims))
	case key == "":
		fmt.Fprintf(io.out, "\nAll %d claims hold. The key is the one in the case: pass --key to check who signed.\n", len(claims))
	default:
		fmt.Fprintf(io.out, "\nAll %d claims hold.\n", len(claims))
	}
}
