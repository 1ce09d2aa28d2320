//go:build !unix

package github

import "context"

// lockFile does nothing here: processes that share a directory of mirrors need a unix.
func (c *Client) lockFile(context.Context, string) (unlock func(), err error) {
	return func() {}, nil
}
