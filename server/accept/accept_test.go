package accept

import "testing"

func TestWeight(t *testing.T) {
	for text, want := range map[string]int{
		"q=1": 1000, "q=1.0": 1000, "q=1.000": 1000, "q=0": 0, "q=0.": 0, "q=0.5": 500, "q=0.05": 50, "q=0.001": 1, "Q=0.123": 123, "q=0.000": 0,
		"": -1, "q": -1, "q=": -1, "q=.5": -1, "q=2": -1, "q=1.001": -1, "q=0.1234": -1, "q=-0": -1, "q=0.5x": -1, "q=1e0": -1, "q = 1": -1, "p=1": -1, "q=00": -1, "q=+1": -1,
	} {
		got, ok := Weight(text)
		if ok != (want >= 0) || ok && got != want {
			t.Errorf("%q: %d, %v; want %d", text, got, ok, want)
		}
	}
}

func TestMedia(t *testing.T) {
	for _, c := range []struct {
		fields []string
		want   Liking
	}{
		{nil, Liking{}},
		{[]string{""}, Liking{}},
		{[]string{"*/*"}, Liking{1000, false}},
		{[]string{"text/*;q=0.5, */*"}, Liking{500, false}},
		{[]string{"text/html;q=0.2, text/*;q=0.5", "*/*"}, Liking{200, true}},
		{[]string{"TEXT/HTML"}, Liking{1000, true}},
		{[]string{"text/html;level=1;q=0.3"}, Liking{300, true}},
		{[]string{"text/html;q=0, */*"}, Liking{0, true}},
		{[]string{"text/html;q=2, */*;q=0.1"}, Liking{100, false}},
		{[]string{"text/html;q=0.1, text/html;q=0.9"}, Liking{900, true}},
		{[]string{"text/plain, application/*"}, Liking{}},
		{[]string{"text/html-like"}, Liking{}},
	} {
		if got := Media(c.fields, "text/html"); got != c.want {
			t.Errorf("%q: %v, want %v", c.fields, got, c.want)
		}
	}
}

func FuzzMedia(f *testing.F) {
	f.Add("text/html;q=0.5, */*;q=0.1")
	f.Add("text/*;level=1;q=1.0,,;q=0")
	f.Fuzz(func(t *testing.T, field string) {
		if l := Media([]string{field}, "text/html"); l.Weight < 0 || l.Weight > 1000 {
			t.Errorf("%q: %v", field, l)
		}
	})
}
