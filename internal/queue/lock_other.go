//go:build !unix

package queue

import "errors"

var errLocked = errors.New("locked")

var errNoEmbedding = errors.New("this system has no lock that ends with the process; use --nats-url")

func lock(string) (func(), error) { return nil, errNoEmbedding }

func diskFree(string) (int64, error) { return 0, errNoEmbedding }
