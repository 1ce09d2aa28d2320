package main

import (
	"errors"
	"fmt"
)

// The exit codes, as documented in the help of the root command.
const (
	exitOK       = 0
	exitFailure  = 1  // something went wrong that should not have
	exitUsage    = 2  // the command line is off
	exitInput    = 3  // alert, telemetry, repository or configuration cannot be used
	exitMachine  = 4  // this machine lacks something: a sandbox, a tool, a port, a key
	exitNo       = 5  // the answer is no: verification failed, policy denies, replay is red
	exitDeclined = 10 // declined, with a report
)

// exitError carries an exit code.
type exitError struct {
	code int
	err  error
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

func usage(format string, args ...any) error {
	return &exitError{exitUsage, fmt.Errorf(format, args...)}
}
func inputError(err error) error   { return coded(exitInput, err) }
func machineError(err error) error { return coded(exitMachine, err) }

func coded(code int, err error) error {
	if err == nil {
		return nil
	}
	return &exitError{code, err}
}

// quiet ends a command with a code whose reason has been printed already.
func quiet(code int) error { return &exitError{code, nil} }

func codeOf(err error) int {
	var e *exitError
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &e):
		return e.code
	}
	return exitFailure
}
