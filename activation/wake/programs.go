package wake

import (
	"bytes"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Program is what is known of a program. Signals of 0 are the usual ones: SIGTERM, which ends it gracefully, and SIGHUP,
// which makes it read its configuration again.
type Program struct {
	Adapter       string         // how it can be told of sockets, one of Adapters; empty: not known
	StopSignal    syscall.Signal // ends it after it served the clients that it has
	ReloadSignal  syscall.Signal // makes it read its configuration again
	ComparesPorts bool           // after bind(2) it asks getsockname(2) for the port, and fails where that is another one

	name string // what it is known as; empty: it is not known
	asks bool   // it takes the sockets that it is told of whatever its configuration says
}

// KnownProgram tells what is known of the program in a file, by the file's name behind all symbolic links, and, for a
// script, by that of its interpreter. The arguments are those of the command line, without the program's name.
func KnownProgram(path string, arguments ...string) Program {
	names := []string{fileName(path)}
	if interpreter := interpreterOf(path); interpreter != "" {
		names = append(names, fileName(interpreter))
	}
	for _, name := range names {
		known := programNamed(name)
		if known.name == "python" && len(names) == 1 && len(arguments) > 1 && arguments[0] == "-m" {
			if module := programNamed(arguments[1]); module.name != "" { // python3 -m gunicorn
				known = module
			}
		}
		if known.name == "haproxy" && (slices.Contains(arguments, "-W") || slices.Contains(arguments, "-Ws")) {
			known.ReloadSignal = syscall.SIGUSR2
		}
		if known.name != "" {
			return known
		}
	}
	return Program{}
}

// programNamed has what the programs' own documentation says.
func programNamed(name string) Program {
	// python3.11, php-fpm8.2, apache2: the name without its version. No name here ends in a digit itself.
	known := Program{name: strings.TrimRight(name, "0123456789.")}
	switch known.name {
	case "nginx", "angie": // nginx(8): QUIT shuts down gracefully; NGINX is not meant for users, hence no asks
		known.Adapter, known.StopSignal, known.ReloadSignal = "nginx", syscall.SIGQUIT, syscall.SIGHUP
	case "apache", "httpd": // httpd.apache.org, "Stopping and Restarting": graceful-stop and graceful
		known.StopSignal, known.ReloadSignal = syscall.SIGWINCH, syscall.SIGUSR1
	case "haproxy": // management guide: USR1 is the soft stop; USR2 reloads, in master-worker mode (-W) only
		known.StopSignal = syscall.SIGUSR1
	case "lighttpd": // its doc/initscripts.txt: USR1 since 1.4.46
		known.StopSignal, known.ReloadSignal = syscall.SIGINT, syscall.SIGUSR1
	case "php-fpm": // php-fpm(8)
		known.StopSignal, known.ReloadSignal = syscall.SIGQUIT, syscall.SIGUSR2
	case "postgres": // postgres(1): TERM waits until all clients have left by themselves
		known.StopSignal, known.ReloadSignal = syscall.SIGINT, syscall.SIGHUP
	case "python": // only INT is turned into an exception (library reference, signal), by which http.server and asyncio end
		known.StopSignal = syscall.SIGINT
	case "uwsgi": // "Managing the uWSGI server": TERM reloads
		known.StopSignal, known.ReloadSignal = syscall.SIGINT, syscall.SIGHUP
	case "unicorn": // its SIGNALS: TERM kills the workers at once
		known.StopSignal, known.ReloadSignal = syscall.SIGQUIT, syscall.SIGHUP
	case "gunicorn": // docs.gunicorn.org, "Signal Handling", and "Deploying", systemd: LISTEN_FDS wins over --bind
		known.Adapter, known.asks = "systemd", true
		known.StopSignal, known.ReloadSignal = syscall.SIGTERM, syscall.SIGHUP
	case "systemd-socket-proxyd", "rouse": // systemd-socket-proxyd(8)
		known.Adapter, known.asks = "systemd", true
	case "node", "nodejs": // node:cluster: libuv fails with EADDRINUSE
		known.ComparesPorts = true
	default:
		return Program{}
	}
	return known
}

// fileName is the name of a file behind all symbolic links: /bin/httpd may be a link to busybox.
func fileName(path string) string {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	return filepath.Base(path)
}

// interpreterOf returns what a script names behind "#!" (execve(2)), for env(1) what that runs; empty where it is no script.
func interpreterOf(path string) string {
	f, err := os.Open(path)
	if err != nil {
		return ""
	}
	defer f.Close()
	head := make([]byte, 256) // as much as the kernel reads
	n, _ := io.ReadFull(f, head)
	line, script := bytes.CutPrefix(head[:n], []byte("#!"))
	line, _, _ = bytes.Cut(line, []byte("\n"))
	fields := strings.Fields(string(line))
	if !script || len(fields) == 0 {
		return ""
	}
	if filepath.Base(fields[0]) != "env" {
		return fields[0]
	}
	for _, word := range fields[1:] {
		if !strings.HasPrefix(word, "-") && !strings.Contains(word, "=") { // options and variables come first
			return word
		}
	}
	return ""
}
