// Package workflow is the step of a GitHub Actions workflow: it turns the step's environment and event into
// command lines of remediator, and what came of them into annotations, outputs and a summary.
//
// It decides nothing about an incident or a patch. It refuses events in which code of strangers would run with
// the repository's token. What it prints may quote telemetry and code, so nothing of it can become a command of the
// workflow or break out of the summary's Markdown.
package workflow
