package gorecipe

import "testing"

func TestPoolSize(t *testing.T) { testRecipe(t, "pool", NewPoolSize()) }
