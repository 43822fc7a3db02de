package conformance

// newCommands are those of version 3.
func newCommands() []command {
	const public, mine = "-p 8787 -d ./public ", "--port 8787 --root ./my-public-dir "
	const tls3 = "--tls-cert ./my-tls.cert --tls-key ./my-tls.key"
	return []command{
		{page: "TLS (3)", words: "--host 127.0.0.1 " + mine + "--tls " + tls3, over: h1tls, do: site},
		{page: "TLS (3)", words: "--host 127.0.0.1 " + mine + "-t " + tls3, over: h2, do: site},
		{page: "HTTP/2 (3)", words: "--host 127.0.0.1 " + mine + "--tls --http2 " + tls3, over: h2, do: site},
		{page: "hidden files (3)", words: public + "--include-hidden", do: asks("/.dotfile", 200)},
		{page: "hidden files (3)", words: public + "--include-hidden=false", do: asks("/.dotfile", 404)},
		{page: "symbolic links (3)", words: public + "--follow-symlinks", do: asks("/link/main.js", 200)},
		{page: "symbolic links (3)", words: public + "--follow-symlinks false", do: asks("/link/main.js", 403)},
		{page: "ETag (3)", words: mine + "--etag true", do: asks("/a.txt", 200, some("ETag"))},
		{page: "ETag (3)", words: mine + "--etag false", do: asks("/a.txt", 200, no("ETag"))},
		{page: "logging (3)", words: public + "-g info --log-format json", do: logged("/a.txt", `"uri":"/a.txt"`)},
		{page: "logging (3)", words: public + "-g info --log-format=pretty", do: logged("/a.txt", "GET .*/a.txt")},
		{page: "directory listing (3)", words: public + "-z --directory-listing-format=auto", do: asksWith("Accept: application/json", "/list/", 200, kind("application/json"))},
	}
}

// variables are those of version 2 and 3, and static-web-server's own /etc/default file (the first).
func variables() []command {
	const root = "SERVER_ROOT={dir}/site "
	one := func(variables string, do func(*asker)) command {
		return command{page: "variables", env: root + variables, do: do}
	}
	gzip, origin := "Accept-Encoding: gzip", "Origin: https://domain.com"
	return []command{
		{page: "/etc/default", words: "--fd 0", env: root + "SERVER_HTTP2_TLS=true SERVER_HTTP2_TLS_CERT=./my-tls.cert SERVER_HTTP2_TLS_KEY=./my-tls.key SERVER_LOG_LEVEL=warn", over: h2, do: site},
		{page: "docker compose", env: "SERVER_HOST=127.0.0.1 SERVER_PORT={port} SERVER_ROOT=./public", do: site},
		{page: "variables", env: root + "SERVER_TLS=true SERVER_TLS_CERT=./my-tls.cert SERVER_TLS_KEY=./my-tls.key SERVER_HTTP2=true", over: h2, do: site},
		{page: "variables", env: root + "SERVER_HTTP2_TLS=true SERVER_HTTP2_TLS_CERT=./my-tls.cert SERVER_HTTP2_TLS_KEY=./my-tls.key SERVER_SECURITY_HEADERS=false", over: h2, do: asks("/a.txt", 200, unsecured())},
		one("SERVER_LISTEN_FD=0", site),
		one("SERVER_CONFIG_FILE=./sws.conf.toml", asks("/list/", 200, hrefs("a.txt"))),
		one("SERVER_GRACE_PERIOD=1", graceful),
		one("SERVER_LOG_LEVEL=info", logged("/a.txt", "GET .*/a.txt")),
		one("SERVER_LOG_LEVEL=info SERVER_LOG_FORMAT=json", logged("/a.txt", `"uri":"/a.txt"`)),
		one("SERVER_LOG_LEVEL=info SERVER_LOG_WITH_ANSI=true", logged("/a.txt", "\x1b\\[")),
		one("SERVER_LOG_LEVEL=info SERVER_LOG_REMOTE_ADDRESS=true", logged("/a.txt", "/a.txt .*127.0.0.1")),
		one("SERVER_LOG_LEVEL=info SERVER_LOG_X_REAL_IP=true", logged("/a.txt", "203.0.113.9", "X-Real-IP: 203.0.113.9")),
		one("SERVER_LOG_LEVEL=info SERVER_LOG_FORWARDED_FOR=true SERVER_TRUSTED_PROXIES=127.0.0.1,::1", logged("/a.txt", "203.0.113.9", "X-Forwarded-For: 203.0.113.9")),
		one("SERVER_ERROR_PAGE_404=./my-page-404.html", asks("/missing", 404, body("<h1>my 404</h1>"))),
		one("SERVER_ERROR_PAGE_50X=./50x.html", site),
		one("SERVER_FALLBACK_PAGE=./app.html", asks("/some/route", 200, body("<h1>application</h1>"))),
		one("SERVER_THREADS_MULTIPLIER=1 SERVER_MAX_BLOCKING_THREADS=512 SERVER_WINDOWS_SERVICE=false", site),
		one("SERVER_CORS_ALLOW_ORIGINS=https://domain.com SERVER_CORS_ALLOW_HEADERS=x-requested-with", preflight("x-requested-with")),
		one("SERVER_CORS_ALLOW_ORIGINS=* SERVER_CORS_EXPOSE_HEADERS=x-one", asksWith(origin, "/a.txt", 200, list("Access-Control-Expose-Headers", "x-one"))),
		one("SERVER_COMPRESSION=false", asksWith(gzip, "/big.txt", 200, encoded("", words(5000)))),
		one("SERVER_COMPRESSION_LEVEL=fastest", asksWith(gzip, "/big.txt", 200, encoded("gzip", words(5000)))),
		one("SERVER_COMPRESSION_STATIC=true", precompressedOne),
		one("SERVER_DIRECTORY_LISTING=true SERVER_DIRECTORY_LISTING_ORDER=1", asks("/list/", 200, ordered("c.txt", "b.txt", "a.txt"))),
		one("SERVER_DIRECTORY_LISTING=true SERVER_DIRECTORY_LISTING_FORMAT=json", asks("/list/", 200, entries())),
		one("SERVER_DIRECTORY_LISTING=true SERVER_DIRECTORY_LISTING_DOWNLOAD=targz", asks("/list/?download", 200, archive())),
		one("SERVER_SECURITY_HEADERS=true", asks("/a.txt", 200, secured()...)),
		one("SERVER_CACHE_CONTROL_HEADERS=false", asks("/a.txt", 200, no("Cache-Control"))),
		one("SERVER_ETAG=false", asks("/a.txt", 200, no("ETag"))),
		one("SERVER_BASIC_AUTH="+credentials(), asks("/a.txt", 401)),
		one("SERVER_REDIRECT_TRAILING_SLASH=false", asks("/assets", 200, body(assetsPage))),
		one("SERVER_IGNORE_HIDDEN_FILES=false", asks("/.dotfile", 200)),
		one("SERVER_INCLUDE_HIDDEN=true", asks("/.dotfile", 200)),
		one("SERVER_DISABLE_SYMLINKS=false", asks("/link/main.js", 200)),
		one("SERVER_FOLLOW_SYMLINKS=true", asks("/link/main.js", 200)),
		one("SERVER_HEALTH=true", asks("/health", 200, body("OK"))),
		one("SERVER_METRICS=true", asks("/metrics", 200, contains("sws_http_requests_total"))),
		one("SERVER_INDEX_FILES=index.html,index.htm", asks("/alt/", 200, body(htmPage))),
		one("SERVER_MAINTENANCE_MODE=true SERVER_MAINTENANCE_MODE_STATUS=500 SERVER_MAINTENANCE_MODE_FILE=./maintenance.html", asks("/a.txt", 500, body("<h1>Back soon</h1>"))),
		one("SERVER_ACCEPT_MARKDOWN=true", asksWith("Accept: text/markdown", "/md/p", 200, body(markdownP))),
		one("SERVER_TEXT_CHARSET=false", asks("/a.txt", 200, is("Content-Type", "text/plain"))),
		one("SERVER_USE_RELATIVE_ROOT=true", site),
	}
}
