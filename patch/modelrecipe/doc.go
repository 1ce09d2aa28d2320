// Package modelrecipe turns evidence and code into a question to a language model, and its answer into a draft
// that has to prove itself like any other.
//
// There are two recipes. model-choice asks which of the recipes that apply fits best and with what parameters, within
// a factor of what the recipe itself would take; the draft stays the recipe's. model-edits asks for replacements
// inside one function, each anchored by old text that occurs once; the tool makes the diff, the flag, the copy
// of the function behind it and the test. Both are asked last and wait no longer than one time-out for a case.
//
// A prompt holds its task and, between delimiters that carry a digest of what they enclose, data: telemetry, commit
// messages, code. Data is cleared of invisible characters and redacted before it gets there, is cut by worth and at
// line ends to the tokens that the server was found to read, and cannot contain the delimiter, because it would have
// to contain its own digest. What the data says is of no consequence for what is accepted: an answer is
// held to the paths, the function and the anchors that were shown, to the checks the function makes, to the
// packages and calls its file uses already, and then to everything a recipe's draft is held to.
//
// The package must not touch the network, the file system or the environment. It hands nothing that a
// model wrote to a person except code in a diff.
package modelrecipe
