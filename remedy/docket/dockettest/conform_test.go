package dockettest_test

import (
	"testing"
	"time"

	"github.com/remediator/remediator/remedy/docket/dockettest"
)

func TestMemoryConforms(t *testing.T) {
	dockettest.Conform(t, func(*testing.T) dockettest.Backend {
		m := dockettest.NewMemory(nil)
		m.Tries, m.Backoff = 3, time.Millisecond
		v := m.As(dockettest.NewProcess())
		return dockettest.Backend{
			Store: v, Claims: v, Blobs: v, Queue: v, Tries: m.Tries,
			Damage: func(_ *testing.T, fingerprint string, data []byte) { m.Damage(fingerprint, data) },
		}
	})
}
