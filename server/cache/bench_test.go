package cache

import (
	"testing"
	"time"
)

type key struct {
	device, inode     uint64
	size              int64
	modified, changed time.Duration
	coding            string
}

func BenchmarkHit(b *testing.B) {
	for name, limits := range map[string]Limits{
		"untimed": {Bytes: 64 << 20},
		"timed":   {Bytes: 64 << 20, Life: time.Hour, Idle: time.Hour},
	} {
		b.Run(name, func(b *testing.B) {
			c := New[key](limits)
			build := size(1000)
			keys := make([]key, 1024)
			for i := range keys {
				keys[i] = key{inode: uint64(i), coding: "zstd"}
				c.Get(b.Context(), keys[i], build)
			}
			ctx := b.Context()
			i := 0
			b.ReportAllocs()
			for b.Loop() {
				if _, hit, _ := c.Get(ctx, keys[i%len(keys)], build); !hit {
					b.Fatal("no hit")
				}
				i++
			}
		})
	}
}

func BenchmarkHitParallel(b *testing.B) {
	c := New[string](Limits{Bytes: 64 << 20})
	build := size(1000)
	ctx := b.Context()
	b.ReportAllocs()
	b.RunParallel(func(p *testing.PB) {
		for p.Next() {
			c.Get(ctx, "/index.html", build)
		}
	})
}

func BenchmarkMiss(b *testing.B) {
	c := New[int](Limits{Bytes: 1 << 20})
	value := make([]byte, 1000)
	build := func() ([]byte, error) { return value, nil }
	ctx := b.Context()
	i := 0
	b.ReportAllocs()
	for b.Loop() {
		c.Get(ctx, i, build)
		i++
	}
}
