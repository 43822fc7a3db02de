package conformance

import "fmt"

func precompressed() []point {
	static := with("--compression-static --index-files=index.html,index.htm")
	accept := func(field string) string { return "Accept-Encoding: " + field }
	all := []point{
		{number: "C6.1", title: "the sibling is sent", do: func(a *asker) {
			file := a.read("404.html.br")
			a.get("/404.html", accept("br")).want(200, is("Content-Encoding", "br"), encoded("br", page404), body(file), varies("accept-encoding"), is("Content-Type", "text/html; charset=utf-8"))
		}},
		{number: "C6.2", title: "the best that there is", do: func(a *asker) {
			a.get("/404.html", accept("deflate, br")).want(200, is("Content-Encoding", "br"), body(a.read("404.html.br")))
			a.get("/assets/main.css", accept("br;q=0.1, zstd")).want(200, is("Content-Encoding", "zstd"), body(a.read("assets/main.css.zst")))
		}},
		{number: "C6.3", title: ".zst is zstd", do: func(a *asker) {
			a.get("/assets/main.css", accept("zstd")).want(200, is("Content-Encoding", "zstd"), body(a.read("assets/main.css.zst")), kind("text/css"))
		}},
		{number: "C6.4", title: "no sibling: compressed on the way", do: func(a *asker) {
			a.get("/assets/main.js", accept("br")).want(200, encoded("br", words(1200)))
		}},
		{number: "C6.5", title: "the index file's sibling", do: func(a *asker) {
			a.get("/alt/", accept("br")).want(200, is("Content-Encoding", "br"), body(a.read("alt/index.htm.br")), kind("text/html"))
		}},
		{number: "C6.6", title: "no original", do: func(a *asker) {
			a.get("/orphan/index.html", accept("gzip")).want(404)
			a.get("/orphan/", accept("gzip")).want(404)
		}},
		{number: "C6.7", title: "the sibling of page.html for /page", do: func(a *asker) {
			a.get("/404", accept("br")).want(200, is("Content-Encoding", "br"), body(a.read("404.html.br")))
		}},
		{number: "C6.8", title: "a sibling larger than the original", do: func(a *asker) {
			file := a.read("assets/tiny.js.br")
			a.get("/assets/tiny.js", accept("br")).want(200, is("Content-Encoding", "br"), body(file), matches("Content-Length", "|"+number(len(file))))
		}},
		{number: "C6.9", title: "a folder with the sibling's name", do: func(a *asker) {
			a.get("/folder.txt", accept("br")).want(200, encoded("br", words(700)))
		}},
		{number: "C6.10", title: ".gz is not deflate", do: func(a *asker) {
			a.get("/gz.txt", accept("gzip")).want(200, is("Content-Encoding", "gzip"), body(a.read("gz.txt.gz")))
			a.get("/gz.txt", accept("deflate")).want(200, encoded("deflate", words(800)))
		}},
		{number: "C6.11", title: "a range of the sibling", do: rangeOfSibling},
		{number: "C6.12", title: "a sibling that is a symbolic link", do: func(a *asker) {
			a.get("/link.txt", accept("br")).want(200, encoded("br", words(600)))
		}},
		{number: "C6.13", title: "q=0 excludes", do: func(a *asker) { a.get("/404.html", accept("br;q=0")).want(200, encoded("", page404)) }},
		{number: "C6.1b", title: "HEAD of a sibling", do: func(a *asker) {
			a.head("/404.html", accept("br")).want(200, is("Content-Encoding", "br"), length(len(a.read("404.html.br"))), body(""))
		}},
	}
	for i := range all {
		all[i].server = static
	}
	return append(all, point{number: "C6.1a", title: "no siblings when off (the default)", server: with("--compression=false"), do: func(a *asker) {
		a.get("/404.html", accept("br")).want(200, encoded("", page404))
	}})
}

func rangeOfSibling(a *asker) {
	file := a.read("404.html.br")
	identity := a.get("/404.html").field("ETag")
	r := a.get("/404.html", "Accept-Encoding: br", "Range: bytes=0-9").want(206, is("Content-Encoding", "br"),
		is("Content-Range", fmt.Sprintf("bytes 0-9/%d", len(file))), length(10), body(file[:10]), some("ETag"))
	a.compare(r.asked, "another tag than identity's "+identity, r.field("ETag"), r.field("ETag") != identity)
}
