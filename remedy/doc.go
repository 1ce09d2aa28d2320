// Package remedy moves one [Case] from an alert to a proposal: it gathers, locates,
// plans, drafts, judges, proves and signs by calling the steps in their order, and
// declines with a reason wherever the evidence or the proof is not good enough.
//
// It holds the order of things and the rules for taking or leaving an option of the
// ladder. It must not import an adapter or a vendor's SDK: the repository, the
// sandbox, the pages and the clock come in through the small interfaces in deps.go.
// It never widens what a step decided: a patch that the policy denies, a test that was
// not red first, or an incident that was not seen to end is not proposed as if it were.
package remedy
