package http2

import "encoding/binary"

// Numbers of settings (RFC 9113 §6.5.2).
const (
	settingTableSize      = 0x1
	settingEnablePush     = 0x2
	settingMaxStreams     = 0x3
	settingInitialWindow  = 0x4
	settingMaxFrame       = 0x5
	settingMaxHeaderList  = 0x6
	settingEnableConnect  = 0x8 // RFC 8441 §3
	settingLength         = 6
	tableSize             = 4096     // of the dynamic tables, for both sides, unless a setting says otherwise
	streamWindow          = 64 << 10 // what a client may send of a body before the handler reads it
	connWindow            = 1 << 20  // and of all bodies
	largestFrameOfClients = 1<<24 - 1
)

// writeSettings writes the frames that every connection begins with.
func (c *Conn) writeSettings() {
	out := c.buffer()
	out.b = appendFrame(out.b, 3*settingLength, frameSettings, 0, 0)
	out.b = appendSetting(out.b, settingMaxStreams, c.maxStreams())
	out.b = appendSetting(out.b, settingInitialWindow, streamWindow)
	out.b = appendSetting(out.b, settingMaxHeaderList, uint32(c.maxHeaderList()))
	c.unacked++
	c.writeWindowUpdate(0, connWindow-firstWindow)
}

func appendSetting(b []byte, number uint16, value uint32) []byte {
	return binary.BigEndian.AppendUint32(binary.BigEndian.AppendUint16(b, number), value)
}

func (c *Conn) maxStreams() uint32 {
	if c.options.MaxStreams == 0 {
		return 100 // RFC 9113 §6.5.2 advises no fewer
	}
	return c.options.MaxStreams
}

// maxHeaderList is the limit of a header block, counted as RFC 9113 §6.5.2 counts: with 32 bytes for each field. Like net/http
// it lets a request of HTTP/1.1's limit have ten fields.
func (c *Conn) maxHeaderList() int {
	n := c.options.MaxHeaderBytes
	if n <= 0 {
		n = 1 << 20 // http.DefaultMaxHeaderBytes
	}
	return n + 10*32
}

// settings takes the client's SETTINGS and acknowledges them. Of a setting that stands twice the last one counts.
func (c *Conn) settings(f frame, p []byte) error {
	switch {
	case f.stream != 0:
		return broken(codeProtocol, "SETTINGS on a stream")
	case f.has(flagAck) && len(p) > 0:
		return broken(codeFrameSize, "an acknowledgement of SETTINGS is not empty")
	case len(p)%settingLength != 0:
		return broken(codeFrameSize, "the length of SETTINGS is no multiple of 6")
	}
	if c.stage == awaitsSettings {
		c.stage = established
	}
	if f.has(flagAck) {
		if c.unacked--; c.unacked < 0 {
			return broken(codeProtocol, "SETTINGS are acknowledged that were not sent")
		}
		return nil
	}
	initial := c.initial
	for ; len(p) > 0; p = p[settingLength:] {
		value := binary.BigEndian.Uint32(p[2:])
		switch binary.BigEndian.Uint16(p) {
		case settingTableSize:
			c.resize = c.resize || value < c.table
			c.table = value
		case settingEnablePush, settingEnableConnect:
			if value > 1 {
				return broken(codeProtocol, "a setting that is 0 or 1 has another value")
			}
		case settingInitialWindow:
			if value > maxWindow {
				return broken(codeFlowControl, "the initial window is too large")
			}
			initial = int64(value)
		case settingMaxFrame:
			if value < maxFrame || value > largestFrameOfClients {
				return broken(codeProtocol, "the maximum frame size is out of range")
			}
		}
	}
	if err := c.setInitialWindow(initial); err != nil {
		return err
	}
	out := c.buffer()
	out.b = appendFrame(out.b, 0, frameSettings, flagAck, 0)
	return c.uselessFrame()
}

// setInitialWindow also changes the windows of streams that are open (RFC 9113 §6.9.2).
func (c *Conn) setInitialWindow(size int64) error {
	growth := size - c.initial
	if growth == 0 {
		return nil
	}
	c.initial = size
	for _, s := range c.streams {
		if s.window += growth; s.window > maxWindow {
			return broken(codeFlowControl, "the initial window makes a stream's window too large")
		}
	}
	c.stirred = c.stirred || growth > 0
	return nil
}
