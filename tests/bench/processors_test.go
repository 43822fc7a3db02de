package main

import (
	"slices"
	"testing"
)

func TestSplit(t *testing.T) {
	alone := func(int) []int { return nil }
	for _, test := range []struct {
		allowed        []int
		siblings       func(int) []int
		server, client int
	}{
		{[]int{0, 1}, alone, 0, 1},
		{[]int{5}, alone, 5, 5},
		{[]int{0, 1, 2, 3}, func(int) []int { return []int{0, 1} }, 0, 2},
		{[]int{0, 4}, func(int) []int { return []int{0, 4} }, 0, 4}, // better a second thread than none
	} {
		got := split(test.allowed, test.siblings)
		if !slices.Equal(got.server, []int{test.server}) || !slices.Equal(got.client, []int{test.client}) {
			t.Errorf("%v: got %v", test.allowed, got)
		}
	}
}

func TestParseProcessors(t *testing.T) {
	got, err := parseProcessors("0,4-6")
	if err != nil || !slices.Equal(got, []int{0, 4, 5, 6}) {
		t.Errorf("got %v, %v", got, err)
	}
	if list := formatProcessors(got); list != "0,4,5,6" {
		t.Errorf("got %q", list)
	}
	for _, bad := range []string{"", "a", "1-b"} {
		if _, err := parseProcessors(bad); err == nil {
			t.Errorf("%q was accepted", bad)
		}
	}
}
