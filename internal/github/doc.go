// Package github turns what the docket wants to exist at GitHub (a branch with one signed commit, a pull
// request, a check run, a comment) into calls of GitHub's REST API, and GitHub's webhooks into
// events of the docket. It also keeps bare mirrors of repositories for reading.
//
// Every write looks first for what is there, so that it may be repeated after a lost answer: [Client] never makes
// a second pull request, and never moves a branch that carries somebody else's commit. How far it may go is
// checked here once more, by [Options.Autonomy], whatever the caller believes.
//
// The package must not decide what to propose, must not read telemetry, must not run anything from a repository,
// and must not write a credential into a log, an error, a command line or a file.
package github
