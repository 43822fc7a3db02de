package server

import (
	"time"

	"github.com/rouse-server/rouse/server/rules"
)

// Config is every option of `rouse serve`. Its values are the defaults; the file overwrites them, variables overwrite the
// file, and flags overwrite those. The tags say how an option is spelled:
//
//	flag      the name behind --, and the key in [general] of the file
//	short     the letter behind -
//	variable  the name behind SERVER_ where it is not the flag's
//	arg       what stands for the value in the help
//	help      one line
//	restart   a reload does not change it
//	section   the heading over this option and those after it
//
// The variable is SERVER_ and the field's name in capitals, its words joined by underscores. Names are
// static-web-server's where it has the option, nginx's or systemd's otherwise.
type Config struct {
	// What is served.

	// Root is the folder whose files are served.
	Root string `section:"What is served" split_words:"true" flag:"root" short:"d" arg:"DIR" help:"folder whose files are served"`
	// UseRelativeRoot looks the root's path up again, so that a symbolic link there may be swapped.
	UseRelativeRoot bool `split_words:"true" flag:"use-relative-root" help:"look the root's path up anew for each request, so that a link there can be swapped, and what is mounted there anew is served"`
	// IndexFiles are tried in order when a folder is asked for.
	IndexFiles List `split_words:"true" flag:"index-files" arg:"NAME,…" help:"files to serve for a folder, tried in order"`
	// IgnoreHiddenFiles answers 404 for names that begin with a dot; /.well-known is never hidden (RFC 8615).
	IgnoreHiddenFiles bool `split_words:"true" flag:"ignore-hidden-files" help:"answer 404 for names that begin with a dot, but for /.well-known"`
	// DisableSymlinks answers 403 for symbolic links; otherwise those that stay inside the root are followed.
	DisableSymlinks bool `split_words:"true" flag:"disable-symlinks" help:"answer 403 for symbolic links; false follows those that stay inside the root"`
	// RedirectTrailingSlash sends /folder to /folder/.
	RedirectTrailingSlash bool `split_words:"true" flag:"redirect-trailing-slash" help:"redirect from /folder to /folder/"`
	// CleanUrls sends /page.html to /page and /index.html to /. That /page is served from page.html is always so.
	CleanUrls bool `split_words:"true" flag:"clean-urls" help:"redirect from /page.html to /page, and from /index.html to /"`
	// AcceptMarkdown serves page.md to clients that ask for text/markdown.
	AcceptMarkdown bool `split_words:"true" flag:"accept-markdown" help:"serve the .md file beside a page to clients that ask for text/markdown"`
	// TextCharset adds charset=utf-8 to text.
	TextCharset Charset `split_words:"true" flag:"text-charset" help:"add charset=utf-8 to text"`
	// MimeTypes are media types by extension, over the built-in ones.
	MimeTypes MimeTypes `split_words:"true" flag:"mime-types" arg:".EXT=TYPE,…" help:"media types of more extensions, or others than the built-in ones"`
	// SiteRules obeys the files _headers and _redirects in the root, and does not serve them.
	SiteRules bool `split_words:"true" flag:"site-rules" help:"obey _headers and _redirects in the root, as Netlify and Cloudflare Pages do"`

	// Pages for errors, for what is not found, and for maintenance.

	// ErrorPage_404 and ErrorPage_50x are HTML files, relative to the root, read anew when they change. The underscore
	// makes the variable's name.
	ErrorPage_404 string `section:"Pages for errors, for what is not found, and for maintenance" split_words:"true" variable:"ERROR_PAGE_404" flag:"page404" arg:"FILE" help:"page for 404, relative to the root"`
	ErrorPage_50x string `split_words:"true" variable:"ERROR_PAGE_50X" flag:"page50x" arg:"FILE" help:"page for 500 to 504, relative to the root"`
	// FallbackPage is served with 200 where a GET would be 404. Its path is not relative to the root.
	FallbackPage string `split_words:"true" variable:"FALLBACK_PAGE" flag:"page-fallback" arg:"FILE" help:"page to serve with 200 for what does not exist; not relative to the root"`
	// SPA limits the fallback to navigations; without a fallback page it is the root's first index file.
	SPA bool `split_words:"true" flag:"spa" help:"single-page application: the fallback (default: the root's index file) answers navigations only, so missing files stay 404"`
	// MaintenanceMode answers everything but health and metrics with MaintenanceModeStatus.
	MaintenanceMode       bool   `split_words:"true" flag:"maintenance-mode" help:"answer everything but health and metrics with the maintenance page; SIGUSR2 switches it"`
	MaintenanceModeStatus Status `split_words:"true" flag:"maintenance-mode-status" arg:"STATUS" help:"status of the maintenance page"`
	MaintenanceModeFile   string `split_words:"true" flag:"maintenance-mode-file" arg:"FILE" help:"the maintenance page; not relative to the root"`
	MaintenanceModeSwitch string `split_words:"true" flag:"maintenance-mode-switch" arg:"FILE" help:"maintenance mode is on while this file exists"`

	// Where the sockets come from. The program reads these; Serve is given open sockets.

	// Listen are addresses of sockets: [ROLE=]SOURCE:DETAIL[?OPTIONS].
	Listen Addresses `section:"Where the sockets come from" split_words:"true" flag:"listen" arg:"ADDRESS" restart:"true" help:"take or bind a socket: [ROLE=]systemd:NAME, launchd:NAME, fd:N, inetd:, tcp:HOST:PORT, unix:PATH, dispatch:PATH#BACKEND, handoff:PATH; repeatable; ?proxy=v1, v2 or any: PROXY protocol"`
	// ListenFd is static-web-server's --fd: the N-th socket of LISTEN_FDS, or descriptor N without LISTEN_FDS.
	ListenFd Number `split_words:"true" variable:"LISTEN_FD" flag:"fd" short:"f" arg:"N" restart:"true" help:"serve the N-th socket of LISTEN_FDS, or descriptor N where there is no LISTEN_FDS"`
	// Host is the address to bind when no socket was inherited.
	Host Host `split_words:"true" flag:"host" short:"a" arg:"HOST" restart:"true" help:"address to bind when no socket was inherited"`
	// Port is the port to bind when no socket was inherited.
	Port Port `split_words:"true" flag:"port" short:"p" arg:"PORT" restart:"true" help:"port to bind when no socket was inherited"`
	// UnixSocket is the path of a socket to bind instead of a host and port.
	UnixSocket      string `split_words:"true" flag:"unix-socket" arg:"PATH" restart:"true" help:"bind this unix socket instead of a port"`
	UnixSocketMode  Mode   `split_words:"true" flag:"unix-socket-mode" arg:"MODE" restart:"true" help:"permissions of the unix socket, in octal: 660"`
	UnixSocketForce bool   `split_words:"true" flag:"unix-socket-force" restart:"true" help:"replace a socket file that is in the way"`

	// TLS.

	// TLS makes every socket without a role an https one.
	TLS bool `section:"TLS" split_words:"true" flag:"tls" short:"t" restart:"true" help:"speak TLS on every socket whose role is not http"`
	// Http2 is kept for static-web-server's users: with TLS, HTTP/2 is always offered.
	Http2 bool `split_words:"true" flag:"http2" restart:"true" help:"as --tls in static-web-server 2; HTTP/2 is always offered over TLS"`
	// TLSCert and TLSKey are PEM files.
	TLSCert string `split_words:"true" flag:"tls-cert" arg:"FILE" help:"certificate chain (PEM)"`
	TLSKey  string `split_words:"true" flag:"tls-key" arg:"FILE" help:"private key (PEM: PKCS#1, PKCS#8 or SEC1)"`

	// HTTPSRedirect makes sockets with the role http answer with a redirect to the https one.
	HTTPSRedirect          bool  `split_words:"true" flag:"https-redirect" restart:"true" help:"redirect from http sockets to the https one"`
	HTTPSRedirectHost      Host  `split_words:"true" flag:"https-redirect-host" arg:"HOST" restart:"true" help:"host to redirect to; default: the request's own"`
	HTTPSRedirectFromPort  Port  `split_words:"true" flag:"https-redirect-from-port" arg:"PORT" restart:"true" help:"port to bind for the redirect when no socket was inherited"`
	HTTPSRedirectFromHosts Hosts `split_words:"true" flag:"https-redirect-from-hosts" arg:"HOST,…" restart:"true" help:"hosts to redirect from, others get 400; default: any"`

	// Compression.

	// Compression encodes text on the fly.
	Compression      bool  `section:"Compression" split_words:"true" flag:"compression" short:"x" help:"compress text on the fly: zstd, br, gzip or deflate"`
	CompressionLevel Level `split_words:"true" flag:"compression-level" arg:"LEVEL" help:"fastest, default or best"`
	// CompressionStatic serves the files .zst, .br and .gz beside a file.
	CompressionStatic bool `split_words:"true" flag:"compression-static" help:"serve the .zst, .br and .gz files beside a file; rouse precompress makes them"`
	// CompressionCache bounds what is kept of compressed files, in bytes.
	CompressionCache Size `split_words:"true" flag:"compression-cache" arg:"SIZE" help:"memory for compressed files"`

	// Replies that are sent again.

	// Lane answers repeats from replies that are kept; without it every request goes through net/http.
	Lane Lane `section:"Replies that are sent again" split_words:"true" flag:"lane" arg:"WHEN" restart:"true" help:"auto: answer requests for the same from replies that are kept; off: answer each anew, by net/http"`
	// ReplyCache bounds what is kept of replies, in bytes.
	ReplyCache Size `split_words:"true" flag:"reply-cache" arg:"SIZE" help:"memory for replies that are sent again"`
	// ReplyTTL is how long a reply is sent before its files are looked at again.
	ReplyTTL Duration `split_words:"true" flag:"reply-ttl" arg:"TIME" help:"how long a kept reply is sent before its files are looked at again; 0: each time"`

	// Listings of folders without index file.

	DirectoryListing         bool     `section:"Listings of folders without index file" split_words:"true" flag:"directory-listing" short:"z" help:"list folders that have no index file"`
	DirectoryListingOrder    Order    `split_words:"true" flag:"directory-listing-order" arg:"N" help:"order of listings: 0/1 name, 2/3 time, 4/5 size, up or down; else folders first, then names"`
	DirectoryListingFormat   Format   `split_words:"true" flag:"directory-listing-format" arg:"FORMAT" help:"html, json or auto (what the client accepts)"`
	DirectoryListingDownload Archives `split_words:"true" flag:"directory-listing-download" arg:"FORMAT,…" help:"offer folders as archives: targz, tarzst, zip"`

	// Response headers and validators.

	// SecurityHeaders are on with TLS unless said otherwise.
	SecurityHeaders     Automatic `section:"Response headers" split_words:"true" flag:"security-headers" help:"send HSTS (over TLS), X-Frame-Options, X-Content-Type-Options, CSP and Referrer-Policy; default: with TLS"`
	CacheControlHeaders bool      `split_words:"true" flag:"cache-control-headers" short:"e" help:"send Cache-Control by the kind of file"`
	Etag                ETag      `split_words:"true" flag:"etag" arg:"HOW" help:"send ETags: true, false, or content (a hash of the content, the same on every machine)"`
	// ReprDigest sends the digest of what is served (RFC 9530).
	ReprDigest        bool `split_words:"true" flag:"repr-digest" help:"send Repr-Digest, the SHA-256 of a file (RFC 9530)"`
	CORSAllowOrigins  List `split_words:"true" flag:"cors-allow-origins" short:"c" arg:"ORIGIN,…" help:"origins that may read answers (CORS), * for any; others get 403"`
	CORSAllowHeaders  List `split_words:"true" flag:"cors-allow-headers" short:"j" arg:"NAME,…" help:"request headers that CORS allows"`
	CORSExposeHeaders List `split_words:"true" flag:"cors-expose-headers" arg:"NAME,…" help:"response headers that CORS shows to scripts"`

	// Passwords and endpoints.

	// BasicAuth is USER:HASH; BasicAuthFile an htpasswd file.
	BasicAuth     string `section:"Passwords and endpoints" split_words:"true" flag:"basic-auth" arg:"USER:HASH" help:"ask for this user's password; HASH is of bcrypt, sha512-crypt or apr1 (htpasswd -nB USER)"`
	BasicAuthFile string `split_words:"true" flag:"basic-auth-file" arg:"FILE" help:"ask for a password of this htpasswd file"`
	Health        bool   `split_words:"true" flag:"health" help:"answer /health with 200 while the program runs"`
	Ready         bool   `split_words:"true" flag:"ready" help:"answer /ready with 200, or with 503 while in maintenance or ending"`
	Metrics       bool   `split_words:"true" flag:"metrics" help:"answer /metrics in Prometheus' format"`

	// Logging.

	LogLevel  LogLevel  `section:"Logging" split_words:"true" flag:"log-level" short:"g" arg:"LEVEL" help:"error, warn, info (one line per request), debug or trace"`
	LogFormat LogFormat `split_words:"true" flag:"log-format" arg:"FORMAT" help:"auto, human, json or logfmt"`
	// LogWithANSI forces colours.
	LogWithANSI bool `split_words:"true" flag:"log-with-ansi" help:"colour human lines also where there is no terminal"`
	// LogFile gets all lines too; AccessLog only those of requests. Both are opened again on SIGUSR1.
	LogFile   string `split_words:"true" flag:"log-file" arg:"FILE" help:"write all lines to this file too; SIGUSR1 opens it again"`
	AccessLog string `split_words:"true" flag:"access-log" arg:"FILE" help:"write the lines of requests to this file instead, at any log level; SIGUSR1 opens it again"`
	// AccessLogFormat is how a request's line looks.
	AccessLogFormat  AccessLogFormat `split_words:"true" flag:"access-log-format" arg:"FORMAT" help:"auto (as the log), human, json, logfmt, common or combined"`
	LogRemoteAddress bool            `split_words:"true" flag:"log-remote-address" help:"kept for static-web-server's users: the client's address is always logged"`
	LogXRealIP       bool            `split_words:"true" flag:"log-x-real-ip" help:"log X-Real-IP as well"`
	LogForwardedFor  bool            `split_words:"true" flag:"log-forwarded-for" help:"log the client that X-Forwarded-For or Forwarded tells of"`
	// TrustedProxies are the peers that are believed about their clients.
	TrustedProxies Networks `split_words:"true" flag:"trusted-proxies" arg:"CIDR,…" help:"proxies that are believed about their clients; with none, their word is only logged"`

	// Living with the manager.

	// GracePeriod goes on accepting for so long after SIGTERM.
	GracePeriod  Seconds  `section:"Living with the manager" split_words:"true" flag:"grace-period" short:"q" arg:"SECONDS" restart:"true" help:"go on accepting for so long after SIGTERM"`
	DrainTimeout Duration `split_words:"true" flag:"drain-timeout" arg:"TIME" restart:"true" help:"after that, requests that still run are cut off"`
	IdleExit     Duration `split_words:"true" flag:"idle-exit" arg:"TIME" restart:"true" help:"exit when no connection was open for so long; 0: never"`
	// ThreadsMultiplier times the number of processors is how many threads run Go code.
	ThreadsMultiplier  Number `split_words:"true" flag:"threads-multiplier" short:"n" arg:"N" restart:"true" help:"threads for each processor"`
	MaxBlockingThreads Number `split_words:"true" flag:"max-blocking-threads" short:"b" arg:"N" restart:"true" help:"kept for static-web-server's users, without effect"`
	WindowsService     bool   `split_words:"true" flag:"windows-service" short:"s" restart:"true" help:"kept for static-web-server's users, without effect"`

	// Rights.

	// Landlock confines the program to the files that its options name. The program sees to it.
	Landlock Landlock `section:"Rights" split_words:"true" flag:"landlock" arg:"WHEN" restart:"true" help:"auto: have the kernel refuse all files but those that the options name, where it can (Landlock); off: do without"`

	// Time limits on what a client can hold open. 0 is no limit.

	TLSHandshakeTimeout Duration `section:"Time limits on clients; 0 is none" split_words:"true" flag:"tls-handshake-timeout" arg:"TIME" restart:"true" help:"for the TLS handshake"`
	ClientHeaderTimeout Duration `split_words:"true" flag:"client-header-timeout" arg:"TIME" restart:"true" help:"for the request's head, all of it"`
	ClientBodyTimeout   Duration `split_words:"true" flag:"client-body-timeout" arg:"TIME" restart:"true" help:"for the request's body, all of it"`
	KeepaliveTimeout    Duration `split_words:"true" flag:"keepalive-timeout" arg:"TIME" restart:"true" help:"for the next request on an open connection"`
	SendTimeout         Duration `split_words:"true" flag:"send-timeout" arg:"TIME" restart:"true" help:"for a client to take 240 bytes a second of the reply, or it is given up"`

	// Limits on what all clients together, or one of them, can take.

	// MaxConnections is how many connections may be open. At the limit the longest idle are closed, and new ones wait.
	MaxConnections Number `section:"Limits on what clients can take; 0 is none" split_words:"true" flag:"max-connections" arg:"N" restart:"true" help:"connections at once; at the limit the longest idle are closed, and new ones wait; default, and 0: 16384, or what open files allow"`
	// MaxConnectionsPerClient counts IPv6 clients by their /64; this machine itself and trusted proxies are not counted.
	MaxConnectionsPerClient Number `split_words:"true" flag:"max-connections-per-client" arg:"N" restart:"true" help:"connections at once of one IPv4 address or IPv6 /64, more are closed; not for this machine itself and trusted proxies"`
	// MaxRequests is how many requests are answered at once, but for those whose reply is kept.
	MaxRequests Number `split_words:"true" flag:"max-requests" arg:"N" restart:"true" help:"requests answered at once, others get 503; replies that are kept do not count"`
	// MaxHandshakes is how many TLS handshakes go on at once. Beyond it the oldest is broken off.
	MaxHandshakes Number `split_words:"true" flag:"max-handshakes" arg:"N" restart:"true" help:"TLS handshakes at once; beyond it the oldest is broken off"`
	// MaxHeaderSize is how long a request's head may be.
	MaxHeaderSize Size `split_words:"true" flag:"max-header-size" arg:"SIZE" restart:"true" help:"longest head of a request, others get 431; 0: 1M"`
	// MaxTargetSize is how long a request's target may be.
	MaxTargetSize Size `split_words:"true" flag:"max-target-size" arg:"SIZE" restart:"true" help:"longest path and query of a request, others get 414"`
	// MaxOpenFiles is the process's limit on open files (RLIMIT_NOFILE).
	MaxOpenFiles Number `split_words:"true" flag:"max-open-files" arg:"N" restart:"true" help:"open files and connections of the process; default: as many as the system lets it have"`

	// Advanced is the file's [advanced], which has no flags and variables.
	Advanced Advanced `ignored:"true"`
}

// Advanced is what only a file can say.
type Advanced struct {
	Headers      []rules.Header    `toml:"headers"`
	Redirects    []rules.Redirect  `toml:"redirects"`
	Rewrites     []rules.Rewrite   `toml:"rewrites"`
	EarlyHints   []rules.EarlyHint `toml:"early-hints"`
	VirtualHosts []VirtualHost     `toml:"virtual-hosts"`
	MemoryCache  *MemoryCache      `toml:"memory-cache"`
}

// VirtualHost is what is served to requests for a host. What is left out is as in [general]; redirects and rewrites come
// before the general ones, headers after them.
type VirtualHost struct {
	Host         string            `toml:"host"`  // a name, or *.example.com for all names below it
	Hosts        []string          `toml:"hosts"` // more of them
	Root         string            `toml:"root"`
	IndexFiles   []string          `toml:"index-files"`
	Page404      string            `toml:"page404"`
	Page50x      string            `toml:"page50x"`
	PageFallback string            `toml:"page-fallback"`
	SPA          *bool             `toml:"spa"`
	TLSCert      string            `toml:"tls-cert"`
	TLSKey       string            `toml:"tls-key"`
	Headers      []rules.Header    `toml:"headers"`
	Redirects    []rules.Redirect  `toml:"redirects"`
	Rewrites     []rules.Rewrite   `toml:"rewrites"`
	EarlyHints   []rules.EarlyHint `toml:"early-hints"`
}

// MemoryCache keeps small files in memory. Every hit is held against the file: nothing stale is served.
type MemoryCache struct {
	Capacity    int `toml:"capacity"`      // files
	TTL         int `toml:"ttl"`           // seconds after which a file is read again
	TTI         int `toml:"tti"`           // seconds without a request after which it is forgotten
	MaxFileSize int `toml:"max-file-size"` // KiB
}

// Default returns the defaults of static-web-server 2, and ours where it has none.
func Default() Config {
	return Config{
		Root:                   "./public",
		IndexFiles:             List{"index.html"},
		IgnoreHiddenFiles:      true,
		DisableSymlinks:        true,
		RedirectTrailingSlash:  true,
		TextCharset:            true,
		ErrorPage_404:          "./404.html",
		ErrorPage_50x:          "./50x.html",
		MaintenanceModeStatus:  503,
		Host:                   "::",
		Port:                   80,
		HTTPSRedirectFromPort:  80,
		Compression:            true,
		CompressionLevel:       "default",
		CompressionCache:       64 << 20,
		Lane:                   "auto",
		ReplyCache:             64 << 20,
		ReplyTTL:               Duration(time.Second),
		DirectoryListingOrder:  6,
		DirectoryListingFormat: "html",
		CacheControlHeaders:    true,
		Etag:                   "true",
		CORSAllowHeaders:       List{"origin", "content-type", "authorization"},
		CORSExposeHeaders:      List{"origin", "content-type"},
		LogLevel:               "error",
		LogFormat:              "auto",
		AccessLogFormat:        "auto",
		ThreadsMultiplier:      Number{Value: 1, Given: true},
		MaxBlockingThreads:     Number{Value: 512, Given: true},
		DrainTimeout:           Duration(10 * time.Second),
		Landlock:               "auto",
		TLSHandshakeTimeout:    Duration(10 * time.Second),
		ClientHeaderTimeout:    Duration(10 * time.Second),
		ClientBodyTimeout:      Duration(30 * time.Second),
		KeepaliveTimeout:       Duration(60 * time.Second),
		SendTimeout:            Duration(30 * time.Second),

		MaxConnectionsPerClient: Number{Value: 1024, Given: true},
		MaxRequests:             Number{Value: 16384, Given: true},
		MaxHandshakes:           Number{Value: 2048, Given: true},
		MaxHeaderSize:           64 << 10,
		MaxTargetSize:           16 << 10,
	}
}
