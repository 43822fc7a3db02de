package conformance

import "strings"

// compressible are files of a type that is compressed (C5.8), each of 400 bytes below /types/.
func compressible() []string {
	return strings.Fields("f.html f.css f.js f.txt f.csv f.md f.xml f.json f.webmanifest f.atom f.rss f.svg f.yaml f.rtf f.wasm f.ttf f.otf f.woff f.eot f.ico f.ics f.geojson")
}

// incompressible are files of types that are not.
func incompressible() []string {
	return strings.Fields("f.png f.jpg f.gif f.webp f.woff2 f.zip f.gz f.pdf f.mp4 f.mp3 f.bin f.avif")
}

func compression() []point {
	const path = "/big.txt"
	text := words(5000)
	codings := []string{"gzip", "deflate", "br", "zstd"}
	accept := func(field string) string { return "Accept-Encoding: " + field }
	chooses := func(a *asker, coding string, fields ...string) {
		a.Helper()
		for i := range fields {
			fields[i] = accept(fields[i])
		}
		a.get(path, fields...).want(200, encoded(coding, text), varies("accept-encoding"))
	}
	return []point{
		{number: "C5.1", title: "each coding", do: func(a *asker) {
			for _, coding := range codings {
				chooses(a, coding, "identity, "+coding)
			}
		}},
		{number: "C5.2", title: "unknown coding", do: func(a *asker) { a.get(path, accept("snappy")).want(200, encoded("", text), length(len(text))) }},
		{number: "C5.3", title: "which coding is preferred", do: func(a *asker) {
			chooses(a, "zstd", "gzip, deflate, br, zstd")
			chooses(a, "br", "deflate, gzip, br")
			chooses(a, "gzip", "deflate, gzip")
			chooses(a, "gzip", "br;q=0.5, zstd;q=0.2, gzip;q=0.9")
			chooses(a, "deflate", "gzip;q=0.5, deflate")
			chooses(a, "br", "zstd;q=0.8, br;q=0.8 , gzip;q=0.8,zstd;q=0.1", "br;Q=1.0")
		}},
		{number: "C5.4", title: "several lines are one list", do: func(a *asker) { chooses(a, "br", "gzip", "br"); chooses(a, "gzip", "br;q=0.1", "gzip") }},
		{number: "C5.5", title: "200 bytes and more", do: func(a *asker) {
			a.get("/199.txt", accept("gzip")).want(200, encoded("", words(199)), length(199))
			a.get("/200.txt", accept("gzip")).want(200, encoded("gzip", words(200)))
		}},
		{number: "C5.5", title: "content of unknown length: a listing", server: with("--directory-listing"), do: func(a *asker) {
			a.get("/list/", accept("gzip")).want(200, is("Content-Encoding", "gzip"), varies("accept-encoding"))
		}},
		{number: "C5.6", title: "not for HEAD, not for compressed types", do: func(a *asker) {
			a.head(path, accept("gzip, br, zstd")).want(200, no("Content-Encoding"), length(len(text)))
			a.get("/picture.png", accept("gzip")).want(200, encoded("", words(3000)), length(3000))
			a.get("/font.woff2", accept("gzip")).want(200, encoded("", words(3000)), length(3000))
		}},
		{number: "C5.7", title: "Vary", do: func(a *asker) {
			a.get(path).want(200, varies("accept-encoding"))
			a.get("/199.txt", accept("br")).want(200, varies("accept-encoding"))
		}},
		{number: "C5.7", title: "Vary with CORS", server: with("--cors-allow-origins=*"), do: func(a *asker) {
			a.get(path, "Origin: http://other.test", accept("gzip")).want(200, encoded("gzip", text), varies("origin", "accept-encoding"))
		}},
		{number: "C5.7", title: "no Vary without compression", server: with("--compression=false"), do: func(a *asker) {
			a.get(path, accept("gzip")).want(200, encoded("", text), no("Vary"))
		}},
		{number: "C5.7", title: "Vary with compression-static alone", server: with("--compression=false --compression-static"), do: func(a *asker) {
			a.get("/404.html").want(200, varies("accept-encoding"))
			a.get("/404.html", accept("br")).want(200, encoded("br", page404), varies("accept-encoding"))
		}},
		{number: "C5.8", title: "which types", do: compressedTypes},
		{number: "C5.9", title: "q=0 excludes", do: func(a *asker) {
			chooses(a, "", "gzip;q=0")
			chooses(a, "", "gzip;q=0.000, br;q=0")
			chooses(a, "gzip", "br;q=0, gzip;q=0.001")
		}},
		{number: "C5.10", title: "*", do: func(a *asker) {
			chooses(a, "zstd", "*")
			chooses(a, "", "*;q=0")
			chooses(a, "br", "zstd;q=0, *")
			chooses(a, "gzip", "gzip, *;q=0")
		}},
		{number: "C5.11", title: "identity excluded", do: func(a *asker) {
			chooses(a, "br", "identity;q=0, br")
			a.get("/picture.png", accept("identity;q=0")).want(200, encoded("", words(3000)))
			chooses(a, "", "identity;q=0, snappy")
		}},
		{number: "C5.12", title: "a range is not compressed", do: func(a *asker) {
			a.get(path, "Range: bytes=0-99", accept("gzip")).want(206, no("Content-Encoding"), is("Content-Range", "bytes 0-99/5000"), length(100), body(text[:100]))
		}},
		{number: "C5.13", title: "deflate is zlib's format", do: func(a *asker) { chooses(a, "deflate", "deflate") }},
		{number: "C5.14", title: "a tag for each representation", do: tagged},
		{number: "C5.15", title: "error pages, if compressed, by the same rules", do: func(a *asker) {
			a.get("/missing", accept("gzip;q=0")).want(404, encoded("", page404))
			r := a.get("/missing", accept("gzip"))
			r.want(404, encoded(r.field("Content-Encoding"), page404))
		}},
	}
}

func compressedTypes(a *asker) {
	for _, name := range compressible() {
		a.get("/types/"+name, "Accept-Encoding: gzip").want(200, encoded("gzip", words(400)))
	}
	for _, name := range incompressible() {
		a.get("/types/"+name, "Accept-Encoding: gzip").want(200, encoded("", words(400)))
	}
}

// tagged asks each representation for its tag, which must be another for each and revalidate it in either form.
func tagged(a *asker) {
	seen := map[string]string{}
	for _, coding := range []string{"identity", "gzip", "deflate", "br", "zstd"} {
		accept := "Accept-Encoding: " + coding
		first := a.get("/big.txt", accept).want(200, some("ETag"))
		opaque := strings.TrimPrefix(first.field("ETag"), "W/")
		other, taken := seen[opaque]
		got := opaque
		if taken {
			got += ", which is also the tag of " + other
		}
		a.compare(first.asked, "a tag of its own", got, !taken && opaque != "")
		seen[opaque] = coding
		for _, tag := range []string{opaque, "W/" + opaque} {
			a.get("/big.txt", accept, "If-None-Match: "+tag).want(304, is("ETag", first.field("ETag")), varies("accept-encoding"), body(""))
		}
	}
}
