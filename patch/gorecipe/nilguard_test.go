package gorecipe

import "testing"

func TestNilGuard(t *testing.T) { testRecipe(t, "nilguard", NewNilGuard()) }
