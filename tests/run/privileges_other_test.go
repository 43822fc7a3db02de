//go:build !linux

package run

import (
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

func binary(t testing.TB) string { return program.Binary(t) }

func users(t *testing.T, test func(t *testing.T, through []string)) {
	t.Run("user", func(t *testing.T) { test(t, nil) })
}

func needsListener(t testing.TB) { t.Skip("listener mode needs Linux") }

func noListener() string { return "it needs Linux" }
