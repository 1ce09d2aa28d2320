// Package githubtest stands in for GitHub in tests: it turns the REST calls, git pushes and webhooks that a
// GitHub App exchanges with GitHub into changes of repositories on disk and of pull requests, comments, checks
// and deliveries in memory.
//
// Repositories are real bare git repositories, so what the Git data API makes are real objects with real
// hashes, and `git clone` and `git push` work. Every request and every answer is held against GitHub's own
// OpenAPI description, and webhooks are GitHub's own examples filled with the state, where these two were
// fetched ([FetchDescription]); without them a test says so and goes on.
//
// Tests break it on purpose: [Server.Inject] makes calls fail in the ways GitHub fails, [Server.OnRequest] lets a
// test kill the program under test right before or after an effect, and deliveries can be lost, sent twice
// and sent again.
//
// It must never be imported by anything but tests and the program in githubstandin, and it must not know
// what remediator does: it behaves as GitHub would towards anybody.
package githubtest
