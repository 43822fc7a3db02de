package run

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/rouse-server/rouse/tests/program"
)

// nginx is a command that serves a page at an address.
func nginx(t *testing.T, address string) []string {
	t.Helper()
	path := filepath.Join(os.Getenv("ROUSE_TEST_SERVERS"), "/usr/sbin/nginx") // unpacked, or else what is installed
	if _, err := os.Stat(path); err != nil {
		t.Skipf("no nginx (eval \"$(tests/setup.sh)\"): %v", err)
	}
	dir := program.ShortDir(t)
	if err := os.Chmod(dir, 0o755); err != nil { // its workers may be of another user
		t.Fatal(err)
	}
	configuration := strings.NewReplacer("DIR", dir, "ADDRESS", address).Replace(`
pid DIR/pid;
error_log DIR/error.log;
worker_processes 2;
events { worker_connections 512; }
http {
	access_log off;
	client_body_temp_path DIR/body;
	proxy_temp_path DIR/proxy;
	fastcgi_temp_path DIR/fastcgi;
	uwsgi_temp_path DIR/uwsgi;
	scgi_temp_path DIR/scgi;
	server {
		listen ADDRESS;
		location / { return 200 "$server_addr:$server_port $remote_addr:$remote_port\n"; }
	}
}
`)
	file := filepath.Join(dir, "nginx.conf")
	if err := os.WriteFile(file, []byte(configuration), 0o644); err != nil {
		t.Fatal(err)
	}
	return []string{path, "-p", dir, "-e", filepath.Join(dir, "error.log"), "-c", file}
}
