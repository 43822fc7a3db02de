package servers

import (
	"bufio"
	"encoding/binary"
	"fmt"
	"io"
)

// dataServers are databases. PostgreSQL does not run as root, so rouse does not either.
func dataServers() []server {
	return []server{
		{
			name:     "PostgreSQL, rouse as an ordinary user",
			packages: []string{"postgresql-15"},
			version:  "/usr/lib/postgresql/15/bin/postgres --version",
			files: map[string]string{"pg_hba.conf": "host all all 127.0.0.0/8 trust\n", "postgresql.conf": `
listen_addresses = '127.0.0.1'
port = @web@
unix_socket_directories = ''
log_connections = on
drill.word = '@word@'
`},
			prepare: `mkdir data && chown postgres data && chmod 755 postgresql.conf
setpriv --reuid=postgres --regid=postgres --clear-groups /usr/lib/postgresql/15/bin/initdb -N -A trust -D data >/dev/null`,
			user:    "postgres",
			noBare:  true,
			command: []string{"/usr/lib/postgresql/15/bin/postgres", "-D", "@dir@/data", "-c", "config_file=@dir@/postgresql.conf", "-c", "hba_file=@dir@/pg_hba.conf", "-c", "ident_file=@dir@/data/pg_ident.conf"},
			sockets: []socket{{name: "web", network: "tcp4", port: 5432}},
			client:  selectWord,
			early:   "57P03", // cannot_connect_now
			peer:    `connection received: host=@ip@ port=@port@`,
			reload:  "HUP",
		},
		{
			name:     "Redis",
			packages: []string{"redis-server"},
			version:  "redis-server --version",
			files: map[string]string{"redis.conf": `
bind 127.0.0.1
port @web@
loglevel verbose
save ""
logfile ""
daemonize no
dir @dir@
requirepass @word@
`},
			command: []string{"/usr/bin/redis-server", "@dir@/redis.conf"},
			sockets: []socket{{name: "web", network: "tcp4", port: 6379}},
			client:  pingRedis,
			peer:    `Accepted @ip@:@port@`,
			reload:  "restart",
			abrupt:  true,
		},
	}
}

// pingRedis authenticates with the word.
func pingRedis(d *drill) error {
	c, err := d.dial("web")
	if err != nil {
		return err
	}
	defer c.Close()
	if _, err := fmt.Fprintf(c, "AUTH %s\r\nPING\r\n", d.word); err != nil {
		return err
	}
	reader := bufio.NewReader(c)
	for _, want := range []string{"+OK\r\n", "+PONG\r\n"} {
		line, err := reader.ReadString('\n')
		if err != nil {
			return err
		}
		if line[:1] == "-" {
			return wrongAnswer{d.word, "one"} // the password of before
		}
		if line != want {
			return fmt.Errorf("the answer is %q, want %q", line, want)
		}
	}
	return nil
}

// selectWord connects as PostgreSQL's protocol 3.0 wants, and asks for a setting.
func selectWord(d *drill) error {
	c, err := d.dial("web")
	if err != nil {
		return err
	}
	defer c.Close()
	start := "\x00\x03\x00\x00user\x00postgres\x00database\x00postgres\x00\x00"
	if _, err := c.Write(append(binary.BigEndian.AppendUint32(nil, uint32(len(start)+4)), start...)); err != nil {
		return err
	}
	reader := bufio.NewReader(c)
	if _, err := readMessages(reader); err != nil {
		return err
	}
	query := "SELECT current_setting('drill.word')\x00"
	if _, err := c.Write(append(binary.BigEndian.AppendUint32([]byte("Q"), uint32(len(query)+4)), query...)); err != nil {
		return err
	}
	row, err := readMessages(reader)
	if err != nil {
		return err
	}
	_, _ = c.Write([]byte("X\x00\x00\x00\x04"))
	return d.check(row)
}

// readMessages reads until the server is ready for a query, and returns the row of data that came before.
func readMessages(r io.Reader) (row string, err error) {
	for {
		head := make([]byte, 5)
		if _, err := io.ReadFull(r, head); err != nil {
			return "", err
		}
		body := make([]byte, binary.BigEndian.Uint32(head[1:])-4)
		if _, err := io.ReadFull(r, body); err != nil {
			return "", err
		}
		switch head[0] {
		case 'D':
			row = string(body)
		case 'E':
			return "", fmt.Errorf("the server says %q", body)
		case 'Z':
			return row, nil
		}
	}
}
