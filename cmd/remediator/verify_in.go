package main

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/remediator/remediator/attest"
	"github.com/remediator/remediator/internal/casedir"
	"github.com/remediator/remediator/internal/gitrepo"
)

// approvalFile is laid beside the signed files when a person let the patch be proposed, after the signing. It is that
// service's word and no claim of the evidence.
const approvalFile = "approval.json"

// verifyIn checks a case that came without its clone, such as from refs/remediator, against a repository that
// holds the commit. The list of the clone's files is signed like every file of the case; there is nothing here to
// compare it with, and nothing in it that the commit's own hash does not cover.
func verifyIn(repository, dir string, check attest.Check) ([]attest.Claim, error) {
	if _, err := os.Lstat(filepath.Join(dir, casedir.Repository)); err == nil {
		return nil, fmt.Errorf("%s has a clone of its own, %s: leave out --repo", dir, casedir.Repository)
	}
	repo, err := gitrepo.Open(repository)
	if err != nil {
		return nil, err
	}
	check.Ignore, check.Commits = []string{approvalFile, casedir.ProposalFile}, repo
	return attest.Verify(check), nil
}
