package faults

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// nginxConfig gives nginx the limits that rouse has in a drill; all else is as it is by itself.
const nginxConfig = `daemon off;
worker_processes 2;
worker_rlimit_nofile 20000;
pid %[1]s/nginx.pid;
error_log %[1]s/error.log error;
%[2]s
events { worker_connections 10000; }
http {
	access_log off;
	sendfile on;
	client_header_timeout %[3]d;
	client_body_timeout %[3]d;
	keepalive_timeout %[3]d;
	send_timeout %[3]d;
	ssl_certificate %[4]s;
	ssl_certificate_key %[5]s;
	client_body_temp_path %[1]s/body;
	proxy_temp_path %[1]s/proxy;
	fastcgi_temp_path %[1]s/fastcgi;
	uwsgi_temp_path %[1]s/uwsgi;
	scgi_temp_path %[1]s/scgi;
	server {
		root %[6]s;
		listen %[7]s ssl http2;
		listen %[8]s;
	}
}
`

// newPeer starts nginx, whose time for the TLS handshake is that for the head; nil where there is none.
func newPeer(t *testing.T) *victim {
	t.Helper()
	path := nginxPath()
	if path == "" {
		t.Log("no nginx: tests/setup.sh unpacks it")
		return nil
	}
	s, dir := newSite(t), t.TempDir()
	v := &victim{t: t, name: "nginx", pool: s.pool}
	var files [2]*os.File
	files[0], v.https = program.Listener(t)
	files[1], v.http = program.Listener(t)
	var user string
	if os.Getuid() == 0 {
		user = "user root;" // the folders of a test are closed to others
	}
	config := fmt.Sprintf(nginxConfig, dir, user, int(timeLimit().Seconds()), s.cert, s.key, s.root, v.https, v.http)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(config), 0o600); err != nil {
		t.Fatal(err)
	}
	v.process = program.Start(t, program.Run{
		Binary: path, Args: []string{"-p", dir, "-c", file},
		Env:   []string{"NGINX=3;4;"}, // as an old nginx passes its listeners to a new one
		Files: files[:],
	})
	v.pids = func() []int { return append(childrenOf(v.process.Pid), v.process.Pid) }
	return v
}

func nginxPath() string {
	path := filepath.Join(os.Getenv("ROUSE_TEST_SERVERS"), "usr/sbin/nginx")
	if _, err := os.Stat(path); err == nil {
		return path
	}
	path, _ = exec.LookPath("nginx")
	return path
}

func childrenOf(pid int) (children []int) {
	text, _ := os.ReadFile(fmt.Sprintf("/proc/%[1]d/task/%[1]d/children", pid))
	for field := range strings.FieldsSeq(string(text)) {
		if n, err := strconv.Atoi(field); err == nil {
			children = append(children, n)
		}
	}
	return children
}
