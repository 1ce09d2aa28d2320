package queue

import (
	"context"
	"fmt"
	"slices"
	"strings"
)

// Claim reads a claim.
func (q *Queue) Claim(ctx context.Context, key string) ([]byte, uint64, error) {
	v, err := q.claims.get(ctx, key)
	if err != nil {
		return nil, 0, fmt.Errorf("reading claim %q: %w", key, err)
	}
	if v.data == nil {
		return nil, 0, nil
	}
	return v.data, v.revision, nil
}

// SetClaim writes a claim that nobody changed since.
func (q *Queue) SetClaim(ctx context.Context, key string, data []byte, revision uint64) error {
	if data == nil && revision == 0 {
		// Nothing is to become nothing: true, or somebody else was faster.
		if v, err := q.claims.get(ctx, key); err != nil || v.data == nil {
			return err
		}
	}
	if _, err := q.claims.set(ctx, key, data, revision); err != nil {
		return fmt.Errorf("setting claim %q: %w", key, err)
	}
	return nil
}

// ClaimKeys lists the claims that begin with prefix, in order.
func (q *Queue) ClaimKeys(ctx context.Context, prefix string) ([]string, error) {
	var keys []string
	err := q.claims.list(ctx, true, func(v value) {
		if strings.HasPrefix(v.key, prefix) {
			keys = append(keys, v.key)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("listing claims: %w", err)
	}
	slices.Sort(keys)
	return keys, nil
}
