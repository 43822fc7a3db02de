package server

import "testing"

func TestCacheControl(t *testing.T) {
	for urlPath, want := range map[string]string{
		"/feed.rss":        "max-age=3600",
		"/data.JSON":       "max-age=3600",
		"/main.css":        "max-age=31536000",
		"/MAIN.JS":         "max-age=31536000",
		"/a.tar.gz":        "max-age=31536000",
		"/index.html":      "max-age=86400",
		"/":                "max-age=86400",
		"/no-extension":    "max-age=86400",
		"/v1.css/download": "max-age=86400",
		"/ends-with-dot.":  "max-age=86400",
	} {
		if got := cacheControl(urlPath); got != want {
			t.Errorf("%s: %s, want %s", urlPath, got, want)
		}
	}
}
