package gorecipe

import "testing"

func TestCallDeadline(t *testing.T) { testRecipe(t, "deadline", NewCallDeadline()) }
