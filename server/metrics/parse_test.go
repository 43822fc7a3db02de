package metrics

import (
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// family is a metric as a strict reader of the text format finds it.
type family struct {
	kind    string
	samples map[string]float64 // by the series' name and its labels in order of the alphabet
}

var (
	headLine   = regexp.MustCompile(`^# (HELP|TYPE) ([a-zA-Z_:][a-zA-Z0-9_:]*) (.+)$`)
	sampleLine = regexp.MustCompile(`^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$`)
	labelPair  = regexp.MustCompile(`^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\\\|\\"|\\n)*)"(?:,|$)`)
)

// parse reads the text format, and is stricter than Prometheus: HELP and TYPE stand once, in this order, in front of all
// samples of their metric, which stand together; no series stands twice; counters are not negative; the buckets of a
// histogram rise, end with +Inf, and agree with _count.
func parse(text string) (map[string]family, error) {
	if !strings.HasSuffix(text, "\n") {
		return nil, fmt.Errorf("the last line does not end")
	}
	families := map[string]family{}
	current, helped := "", ""
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if m := headLine.FindStringSubmatch(line); m != nil {
			_, twice := families[m[2]]
			switch {
			case twice:
				return nil, fmt.Errorf("%q: its metric was there before", line)
			case m[1] == "HELP":
				helped = m[2]
			case helped != m[2] || !slices.Contains([]string{"counter", "gauge", "histogram"}, m[3]):
				return nil, fmt.Errorf("%q: no HELP before it, or no such type", line)
			default:
				current = m[2]
				families[current] = family{m[3], map[string]float64{}}
			}
			continue
		}
		if err := families[current].read(current, line); err != nil {
			return nil, err
		}
	}
	for name, f := range families {
		if err := f.check(name); err != nil {
			return nil, err
		}
	}
	return families, nil
}

func (f family) read(current, line string) error {
	m := sampleLine.FindStringSubmatch(line)
	if m == nil {
		return fmt.Errorf("%q is no sample", line)
	}
	name := m[1]
	if f.kind == "histogram" {
		if name != current+"_bucket" && name != current+"_sum" && name != current+"_count" {
			return fmt.Errorf("%q is not of the histogram %s", line, current)
		}
	} else if name != current {
		return fmt.Errorf("%q is not of %s", line, current)
	}
	var labels []string
	for rest := m[2]; rest != ""; {
		pair := labelPair.FindStringSubmatch(rest)
		if pair == nil {
			return fmt.Errorf("%q: bad labels", line)
		}
		labels = append(labels, strings.TrimSuffix(pair[0], ","))
		rest = rest[len(pair[0]):]
	}
	slices.Sort(labels)
	if len(labels) > 0 {
		name += "{" + strings.Join(labels, ",") + "}"
	}
	value, err := strconv.ParseFloat(m[3], 64)
	if _, twice := f.samples[name]; err != nil || twice || f.kind != "gauge" && !(value >= 0) {
		return fmt.Errorf("%q: bad value, or a series that was there before", line)
	}
	f.samples[name] = value
	return nil
}

var boundLabel = regexp.MustCompile(`le="([^"]*)",?`)

// check holds the samples of a histogram against each other.
func (f family) check(name string) error {
	if f.kind != "histogram" {
		return nil
	}
	type bucket struct{ bound, count float64 }
	all := map[string][]bucket{}
	for series, count := range f.samples {
		m := boundLabel.FindStringSubmatch(series)
		isBucket := strings.HasPrefix(series, name+"_bucket")
		if (m != nil) != isBucket {
			return fmt.Errorf("%s: le belongs to buckets", series)
		}
		if isBucket {
			bound, err := strconv.ParseFloat(m[1], 64)
			if err != nil {
				return err
			}
			key := strings.Replace(strings.TrimPrefix(series, name+"_bucket"), m[0], "", 1)
			key = strings.TrimSuffix(strings.Replace(key, ",}", "}", 1), "{}")
			all[key] = append(all[key], bucket{bound, count})
		}
	}
	for labels, buckets := range all {
		slices.SortFunc(buckets, func(a, b bucket) int { return int(math.Copysign(1, a.bound-b.bound)) })
		last := buckets[len(buckets)-1]
		if !slices.IsSortedFunc(buckets, func(a, b bucket) int { return int(a.count - b.count) }) || !math.IsInf(last.bound, 1) {
			return fmt.Errorf("%s%s: buckets %v", name, labels, buckets)
		}
		count, counted := f.samples[name+"_count"+labels]
		if _, summed := f.samples[name+"_sum"+labels]; !counted || !summed || count != last.count {
			return fmt.Errorf("%s%s: the sum or the count is missing, or not that of the buckets", name, labels)
		}
	}
	return nil
}

// The reader refuses what it should.
func TestParse(t *testing.T) {
	t.Parallel()
	const head = "# HELP a x\n# TYPE a counter\n"
	const histogram = "# HELP h x\n# TYPE h histogram\n"
	for _, bad := range []string{
		"a 1\n", head + "a 1", head + "a 1\na 1\n", head + "b 1\n", head + "a -1\n", head + "a{x=1} 1\n", head + `a{x="\z"} 1` + "\n", head + head, "# TYPE a counter\na 1\n",
		histogram + "h_bucket{le=\"1\"} 1\nh_sum 1\nh_count 1\n",
		histogram + "h_bucket{le=\"1\"} 2\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n",
		histogram + "h_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 2\n",
		histogram + "h_bucket{le=\"+Inf\"} 1\nh_count 1\n",
	} {
		if _, err := parse(bad); err == nil {
			t.Errorf("accepted: %q", bad)
		}
	}
	if _, err := parse(head + "a{x=\"\\n\",y=\"z\"} 1\n" + histogram + "h_bucket{le=\"1\"} 1\nh_bucket{le=\"+Inf\"} 1\nh_sum 1\nh_count 1\n"); err != nil {
		t.Error(err)
	}
}
