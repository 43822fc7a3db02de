package route

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/pires/go-proxyproto"

	"github.com/rouse-server/rouse/activation/relay"
)

// relayed copies the bytes of clients to a server that can take no descriptor.
type relayed struct {
	o      *outlet
	relay  *relay.Relay
	cancel context.CancelFunc
	ctx    context.Context
}

func newRelayed(o *outlet) *relayed {
	g := &relayed{o: o, relay: relay.New()}
	g.ctx, g.cancel = context.WithCancel(context.Background())
	return g
}

func (g *relayed) give(c *client) error {
	conn, err := connOf(c.fd)
	if err != nil {
		return err
	}
	taken := g.relay.Take(conn) // it owns the connection from now on
	c.delivered()
	b := g.o.b
	settings := b.settings()
	go func() {
		defer b.d.rouse(b)
		first, err := header(settings.Header, c.meta.Client, c.meta.Local)
		if err != nil {
			taken.Drop()
			b.dropped(c, dropUnfit, err)
			return
		}
		dial := dialer(settings.Connect, c.meta.Local.Port())
		err = taken.Carry(g.ctx, append(first, c.meta.Data...), relay.Server{Patience: time.Until(c.until), Dial: func(ctx context.Context) (net.Conn, error) {
			server, err := dial(ctx)
			if err == nil {
				b.delivered.Add(1)
			}
			return server, err
		}})
		if errors.Is(err, relay.ErrNoServer) || errors.Is(err, relay.ErrClosed) {
			b.dropped(c, dropRelay, err)
		}
	}()
	return nil
}

func (g *relayed) ready() bool   { return g.o.b.d.holds(int64(g.relay.Waiting())) }
func (g *relayed) why() error    { return nil }
func (g *relayed) inFlight() int { return g.relay.Waiting() }

func (g *relayed) end(ctx context.Context) {
	if err := g.relay.Close(ctx); err != nil {
		g.o.b.d.log.Warn("relayed connections were reset at the end", "backend", g.o.b.name, "err", err)
	}
	g.cancel()
}

// connOf makes a net.Conn of a duplicate, which package net watches and sets up as it does all.
func connOf(fd int) (net.Conn, error) {
	number, err := duplicate(fd)
	if err != nil {
		return nil, err
	}
	file := os.NewFile(uintptr(number), "client")
	defer file.Close()
	return net.FileConn(file)
}

// header is the PROXY header of a client, whose address may be another than the connection's.
func header(version relay.Header, client, local netip.AddrPort) ([]byte, error) {
	if version == relay.None {
		return nil, nil
	}
	var from, to net.Addr
	if client.IsValid() && local.IsValid() {
		from, to = net.TCPAddrFromAddrPort(client), net.TCPAddrFromAddrPort(local)
	}
	number := byte(2)
	if version == relay.V1 {
		number = 1
	}
	return proxyproto.HeaderProxyFromAddrs(number, from, to).Format()
}

// dialer tries the addresses in turn. Port 0 is the port that the client connected to.
func dialer(addresses []string, port uint16) func(context.Context) (net.Conn, error) {
	return func(ctx context.Context) (conn net.Conn, err error) {
		for _, address := range addresses {
			network := "tcp"
			if path, ok := strings.CutPrefix(address, "unix:"); ok {
				network, address = "unix", path
			} else if host, ok := strings.CutSuffix(address, ":0"); ok {
				address = host + ":" + strconv.Itoa(int(port))
			}
			if conn, err = relay.To(network, address)(ctx); err == nil {
				return conn, nil
			}
		}
		return nil, err
	}
}
