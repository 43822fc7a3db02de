package server

import "time"

// Config is every option of `rouse serve`. Its values are the defaults; variables overwrite them, and flags overwrite
// those. The tags say how an option is spelled:
//
//	flag      the name behind --
//	short     the letter behind -
//	variable  the name behind SERVER_ where it is not the flag's
//	arg       what stands for the value in the help
//	help      one line
//
// The variable is SERVER_ and the field's name in capitals, its words joined by underscores. Names are
// static-web-server's where it has the option, nginx's or systemd's otherwise.
type Config struct {
	// What is served.

	// Root is the folder whose files are served.
	Root string `split_words:"true" flag:"root" short:"d" arg:"DIR" help:"folder whose files are served"`
	// IndexFiles are tried in order when a folder is asked for.
	IndexFiles List `split_words:"true" flag:"index-files" arg:"NAME,…" help:"files to serve for a folder, tried in order"`

	// Where the sockets come from. The program reads these; Serve is given open sockets.

	// Listen are addresses of sockets: [ROLE=]SOURCE:DETAIL[?OPTIONS].
	Listen Addresses `split_words:"true" flag:"listen" arg:"ADDRESS" help:"take or bind a socket: [ROLE=]systemd:NAME, launchd:NAME, fd:N, inetd:, tcp:HOST:PORT, unix:PATH; repeatable"`
	// ListenFd is static-web-server's --fd: the N-th socket of LISTEN_FDS, or descriptor N without LISTEN_FDS.
	ListenFd Number `split_words:"true" variable:"LISTEN_FD" flag:"fd" short:"f" arg:"N" help:"serve the N-th socket of LISTEN_FDS, or descriptor N where there is no LISTEN_FDS"`
	// Host is the address to bind when no socket was inherited.
	Host Host `split_words:"true" flag:"host" short:"a" arg:"HOST" help:"address to bind when no socket was inherited"`
	// Port is the port to bind when no socket was inherited.
	Port Port `split_words:"true" flag:"port" short:"p" arg:"PORT" help:"port to bind when no socket was inherited"`

	// TLS.

	// TLS makes every socket without a role an https one.
	TLS bool `split_words:"true" flag:"tls" short:"t" help:"speak TLS on every socket whose role is not http"`
	// Http2 is kept for static-web-server's users: with TLS, HTTP/2 is always offered.
	Http2 bool `split_words:"true" flag:"http2" help:"as --tls in static-web-server 2; HTTP/2 is always offered over TLS"`
	// TLSCert and TLSKey are PEM files.
	TLSCert string `split_words:"true" flag:"tls-cert" arg:"FILE" help:"certificate chain (PEM)"`
	TLSKey  string `split_words:"true" flag:"tls-key" arg:"FILE" help:"private key (PEM: PKCS#1, PKCS#8 or SEC1)"`

	// HTTPSRedirect makes sockets with the role http answer with a redirect to the https one.
	HTTPSRedirect          bool  `split_words:"true" flag:"https-redirect" help:"redirect from http sockets to the https one"`
	HTTPSRedirectHost      Host  `split_words:"true" flag:"https-redirect-host" arg:"HOST" help:"host to redirect to; default: the request's own"`
	HTTPSRedirectFromPort  Port  `split_words:"true" flag:"https-redirect-from-port" arg:"PORT" help:"port to bind for the redirect when no socket was inherited"`
	HTTPSRedirectFromHosts Hosts `split_words:"true" flag:"https-redirect-from-hosts" arg:"HOST,…" help:"hosts to redirect from, others get 400; default: any"`

	// Logging, to standard error.

	LogLevel  LogLevel  `split_words:"true" flag:"log-level" short:"g" arg:"LEVEL" help:"error, warn, info (one line per request), debug or trace"`
	LogFormat LogFormat `split_words:"true" flag:"log-format" arg:"FORMAT" help:"auto, human, json or logfmt"`

	// Living with the manager.

	// GracePeriod goes on accepting for so long after SIGTERM.
	GracePeriod  Seconds  `split_words:"true" flag:"grace-period" short:"q" arg:"SECONDS" help:"go on accepting for so long after SIGTERM"`
	DrainTimeout Duration `split_words:"true" flag:"drain-timeout" arg:"TIME" help:"after that, requests that still run are cut off"`
	IdleExit     Duration `split_words:"true" flag:"idle-exit" arg:"TIME" help:"exit when no connection was open for so long; 0: never"`

	// Time limits on what a client can hold open. 0 is no limit.

	TLSHandshakeTimeout Duration `split_words:"true" flag:"tls-handshake-timeout" arg:"TIME" help:"for the TLS handshake"`
	ClientHeaderTimeout Duration `split_words:"true" flag:"client-header-timeout" arg:"TIME" help:"for the request's head"`
	ClientBodyTimeout   Duration `split_words:"true" flag:"client-body-timeout" arg:"TIME" help:"for the request's body"`
	KeepaliveTimeout    Duration `split_words:"true" flag:"keepalive-timeout" arg:"TIME" help:"for the next request on an open connection"`
	SendTimeout         Duration `split_words:"true" flag:"send-timeout" arg:"TIME" help:"for a client that takes nothing of the reply"`
}

// Default returns the defaults of static-web-server 2, and ours where it has none.
func Default() Config {
	return Config{
		Root:                  "./public",
		IndexFiles:            List{"index.html"},
		Host:                  "::",
		Port:                  80,
		HTTPSRedirectFromPort: 80,
		LogLevel:              "error",
		LogFormat:             "auto",
		DrainTimeout:          Duration(10 * time.Second),
		TLSHandshakeTimeout:   Duration(10 * time.Second),
		ClientHeaderTimeout:   Duration(10 * time.Second),
		ClientBodyTimeout:     Duration(30 * time.Second),
		KeepaliveTimeout:      Duration(60 * time.Second),
		SendTimeout:           Duration(30 * time.Second),
	}
}
