package gorecipe

import "testing"

func TestRetryBackoff(t *testing.T) { testRecipe(t, "retry", NewRetryBackoff()) }

func TestRetryBackoffLeavesOtherLoopsAlone(t *testing.T) {
	testRecipe(t, "untouched", NewRetryBackoff())
}
