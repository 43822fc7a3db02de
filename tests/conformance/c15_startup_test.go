package conformance

import (
	"os"
	"path/filepath"

	"github.com/rouse-server/rouse/tests/program"
)

func startUp() []point {
	usage, configuration := []int{2}, []int{78}
	points := []point{
		{number: "C15.1", title: "no root", do: func(a *asker) {
			missing := filepath.Join(a.TempDir(), "nowhere")
			a.refuses(configuration, program.Run{Args: []string{"--root", missing, "--port=0"}}, missing, "--root")
			a.refuses(configuration, program.Run{Args: []string{"serve", "--port=0"}, Env: []string{"SERVER_ROOT=" + missing}}, missing, "SERVER_ROOT")
			a.refuses(configuration, program.Run{Args: []string{"--root", filepath.Join(a.servers.site(), "a.txt"), "--port=0"}}, "a.txt")
		}},
		{number: "C15.2", title: "--port with --fd", do: func(a *asker) {
			a.refuses(usage, program.Run{Args: []string{"--root", a.servers.site(), "--port", "8787", "--fd", "0"}}, "--port", "--fd")
		}},
		{number: "C15.3", title: "TLS without certificate", do: func(a *asker) {
			cert := filepath.Join(a.servers.certs, "tls.crt")
			for _, flag := range []string{"--http2-tls-cert", "--tls-cert"} {
				a.refuses(usage, program.Run{Args: []string{"--root", a.servers.site(), "--port=0", flag, cert}}, flag)
			}
			a.refuses(configuration, program.Run{Args: []string{"--root", a.servers.site(), "--port=0"}, Env: []string{"SERVER_HTTP2_TLS=true", "SERVER_HTTP2_TLS_CERT=" + cert}}, "SERVER_HTTP2_TLS_CERT")
			a.refuses(configuration, program.Run{Args: []string{"-w", a.toml("[general]\nroot = '{dir}/site'\nport = 0\nhttp2 = true\nhttp2-tls-cert = '" + cert + "'\n")}}, "http2-tls-cert")
		}},
		{number: "C15.4", title: "what needs TLS", do: func(a *asker) {
			a.refuses([]int{2, 78}, program.Run{Args: []string{"--root", a.servers.site(), "--port=0", "--http2"}}, "--http2", "TLS")
			a.refuses([]int{2, 78}, program.Run{Args: []string{"--root", a.servers.site(), "--port=0", "--https-redirect"}}, "--https-redirect", "TLS")
		}},
		{number: "C15.5", title: "a configuration file that is not .toml", do: func(a *asker) {
			path := filepath.Join(a.TempDir(), "sws.yaml")
			must(a, os.WriteFile(path, []byte("[general]\nport = 0\n"), 0o644))
			a.refuses([]int{2, 78}, program.Run{Args: []string{"--root", a.servers.site(), "--port=0", "-w", path}}, ".toml")
		}},
		{number: "C15.6", title: "booleans", do: booleans},
		{number: "C15.6a", title: "two spellings of one option that differ", do: func(a *asker) {
			a.refuses(usage, program.Run{Args: []string{"--root", a.servers.site(), "--port=0", "--ignore-hidden-files", "--include-hidden"}}, "--ignore-hidden-files", "--include-hidden")
			a.refuses(usage, program.Run{Args: []string{"--root", a.servers.site(), "--port=0", "--disable-symlinks", "--follow-symlinks"}}, "--disable-symlinks", "--follow-symlinks")
		}},
		{number: "C15.5a", title: "a configuration file that is not there", do: func(a *asker) {
			run, address := a.serving("-w", "nowhere.toml")
			a.starts(run, address).get("/a.txt").want(200, body(aText))
			a.says("nowhere.toml")
		}},
		{number: "C15.6b", title: "flags over variables over the file", do: precedence},
	}
	for i := range points {
		points[i].server = programs()
	}
	return points
}

// booleans are seen by Vary, which only compression causes here.
func booleans(a *asker) {
	for _, c := range []struct {
		args []string
		on   bool
	}{
		{[]string{"--compression"}, true}, {[]string{"--compression", "true"}, true}, {[]string{"--compression=true"}, true}, {[]string{"-x"}, true}, {[]string{"-x", "true"}, true},
		{[]string{"--compression", "false"}, false}, {[]string{"--compression=false"}, false}, {[]string{"-x", "false"}, false}, {[]string{"-x=false"}, false},
	} {
		run, address := a.serving(c.args...)
		want := varies("accept-encoding")
		if !c.on {
			want = no("Vary")
		}
		r := a.starts(run, address).get("/a.txt")
		r.asked = "rouse " + c.args[0] + " " + c.args[len(c.args)-1]
		r.want(200, want)
	}
}

func precedence(a *asker) {
	config := a.toml("[general]\ncache-control-headers = false\netag = 'false'\ncompression = false\n")
	run, address := a.serving("-w", config, "--compression=true")
	run.Env = []string{"SERVER_ETAG=true", "SERVER_COMPRESSION=false"}
	a.starts(run, address).get("/a.txt").want(200, no("Cache-Control"), some("ETag"), varies("accept-encoding"))
}
