package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"time"
)

// A reply is when the first byte of a complete and right body arrived, on the monotonic clock, or what went wrong.
type reply struct {
	firstByte time.Duration
	err       error
}

// ask connects to a socket, which may have no server yet, sends a request for path and delivers the reply. It gives up
// when ctx is done or patience is over. When it returns, the connection waits in the socket's queue, and with plain
// HTTP the request with it.
func ask(ctx context.Context, s socket, path string, want []byte) (<-chan reply, error) {
	dialer := net.Dialer{Timeout: patience}
	conn, err := dialer.DialContext(ctx, "tcp", s.address())
	if err != nil {
		return nil, fmt.Errorf("connecting to %s: %w", s.address(), err)
	}
	if err := conn.SetDeadline(time.Now().Add(patience)); err != nil {
		conn.Close()
		return nil, err
	}
	request := fmt.Sprintf("GET %s HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", path)
	if s.scheme() == "http" {
		if _, err := io.WriteString(conn, request); err != nil {
			conn.Close()
			return nil, err
		}
	}
	result := make(chan reply, 1)
	go func() {
		defer conn.Close()
		defer context.AfterFunc(ctx, func() { conn.Close() })()
		if s.scheme() == "http" {
			result <- receive(conn, want)
			return
		}
		secure := tls.Client(conn, clientTLS())
		if _, err := io.WriteString(secure, request); err != nil { // the handshake comes first
			result <- reply{err: err}
			return
		}
		result <- receive(secure, want)
	}()
	return result, nil
}

// clientTLS wants the same cryptography of every server as openssl.cnf does.
func clientTLS() *tls.Config {
	return &tls.Config{
		MinVersion:         tls.VersionTLS13,
		CurvePreferences:   []tls.CurveID{tls.X25519},
		InsecureSkipVerify: true, // bench made the certificate; checking it would be measured too
	}
}

// receive reads one reply; anything but status 200 with the body want is an error.
func receive(conn io.Reader, want []byte) reply {
	got, err := http.ReadResponse(bufio.NewReader(conn), nil)
	if err != nil {
		return reply{err: fmt.Errorf("reading the reply: %w", err)}
	}
	defer got.Body.Close()
	body := make([]byte, 1, len(want)+1)
	if _, err := io.ReadFull(got.Body, body); err != nil {
		return reply{err: fmt.Errorf("status %s, reading the body: %w", got.Status, err)}
	}
	first := monotonic()
	rest, err := io.ReadAll(got.Body)
	switch {
	case err != nil:
		return reply{err: fmt.Errorf("status %s, reading the body: %w", got.Status, err)}
	case got.StatusCode != http.StatusOK:
		return reply{err: fmt.Errorf("status %s", got.Status)}
	case !bytes.Equal(append(body, rest...), want):
		return reply{err: errors.New("the body is not the file's content")}
	}
	return reply{firstByte: first}
}

// validator is the header by which a client says that it has a page already: with the server's own ETag, else with its date.
func validator(ctx context.Context, at socket, path string) (string, error) {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, at.url(path), nil)
	if err != nil {
		return "", err
	}
	transport := &http.Transport{DisableKeepAlives: true, DisableCompression: true}
	got, err := transport.RoundTrip(request)
	if err != nil {
		return "", err
	}
	got.Body.Close()
	if tag := got.Header.Get("ETag"); tag != "" {
		return "If-None-Match: " + tag, nil
	}
	if date := got.Header.Get("Last-Modified"); date != "" {
		return "If-Modified-Since: " + date, nil
	}
	return "", fmt.Errorf("%s has neither ETag nor Last-Modified", path)
}

// replyLength is how many bytes a reply has, by its head, which must be in data.
func replyLength(data []byte) (int, error) {
	head, _, found := bytes.Cut(data, []byte("\r\n\r\n"))
	if !found || !bytes.HasPrefix(head, []byte("HTTP/1.1 200 ")) {
		return 0, fmt.Errorf("no whole head of a reply with status 200: %.60q", data)
	}
	got, err := http.ReadResponse(bufio.NewReader(bytes.NewReader(data)), nil)
	if err != nil {
		return 0, fmt.Errorf("reading the head of a reply: %w", err)
	}
	got.Body.Close()
	if got.ContentLength < 0 {
		return 0, errors.New("a reply without Content-Length")
	}
	return len(head) + 4 + int(got.ContentLength), nil
}
