package http2

import (
	"encoding/binary"
	"fmt"
)

// frameType is what a frame is (RFC 9113 §6).
type frameType byte

const (
	frameData         frameType = 0x0
	frameHeaders      frameType = 0x1
	framePriority     frameType = 0x2
	frameReset        frameType = 0x3
	frameSettings     frameType = 0x4
	framePushPromise  frameType = 0x5
	framePing         frameType = 0x6
	frameGoAway       frameType = 0x7
	frameWindowUpdate frameType = 0x8
	frameContinuation frameType = 0x9
)

const (
	flagAck        = 0x1 // of SETTINGS and PING
	flagEndStream  = 0x1 // of DATA and HEADERS
	flagEndHeaders = 0x4
	flagPadded     = 0x8
	flagPriority   = 0x20
)

const (
	preface      = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" // RFC 9113 §3.4
	frameHead    = 9                                  // bytes before a frame's payload
	maxFrame     = 16384                              // bytes of payload that both sides may always send (§6.5.2)
	maxWindow    = 1<<31 - 1                          // §6.9.1
	firstWindow  = 65535                              // of a connection, and of streams before SETTINGS (§6.9.2)
	maxStreamID  = 1<<31 - 1
	reservedMask = 1<<31 - 1 // the highest bit of identifiers and increments means nothing (§4.1)
)

// frame is a frame's head.
type frame struct {
	length int
	kind   frameType
	flags  byte
	stream uint32
}

// parseFrame reads a frame's head from the first frameHead bytes of b.
func parseFrame(b []byte) frame {
	b = b[:frameHead]
	return frame{
		length: int(b[0])<<16 | int(b[1])<<8 | int(b[2]),
		kind:   frameType(b[3]),
		flags:  b[4],
		stream: binary.BigEndian.Uint32(b[5:]) & reservedMask,
	}
}

func (f frame) has(flag byte) bool { return f.flags&flag != 0 }

// appendFrame appends the head of a frame.
func appendFrame(b []byte, length int, kind frameType, flags byte, stream uint32) []byte {
	return append(b, byte(length>>16), byte(length>>8), byte(length), byte(kind), flags,
		byte(stream>>24), byte(stream>>16), byte(stream>>8), byte(stream))
}

// unpad takes the padding off a payload (RFC 9113 §6.1).
func (f frame) unpad(p []byte) ([]byte, error) {
	if !f.has(flagPadded) {
		return p, nil
	}
	if len(p) == 0 {
		return nil, broken(codeFrameSize, "a padded frame is too short")
	}
	pad := int(p[0])
	if p = p[1:]; pad > len(p) {
		return nil, broken(codeProtocol, "the padding is longer than its frame")
	}
	return p[:len(p)-pad], nil
}

// code says why a stream or a connection ends (RFC 9113 §7).
type code uint32

const (
	codeNone          code = 0x0
	codeProtocol      code = 0x1
	codeInternal      code = 0x2
	codeFlowControl   code = 0x3
	codeStreamClosed  code = 0x5
	codeFrameSize     code = 0x6
	codeRefused       code = 0x7
	codeCancel        code = 0x8
	codeCompression   code = 0x9
	codeEnhanceCalm   code = 0xb
	codeHighest            = 0xd
	lengthOfCodeNames      = codeHighest + 1
)

func (c code) String() string {
	names := [lengthOfCodeNames]string{"NO_ERROR", "PROTOCOL_ERROR", "INTERNAL_ERROR", "FLOW_CONTROL_ERROR", "SETTINGS_TIMEOUT",
		"STREAM_CLOSED", "FRAME_SIZE_ERROR", "REFUSED_STREAM", "CANCEL", "COMPRESSION_ERROR", "CONNECT_ERROR",
		"ENHANCE_YOUR_CALM", "INADEQUATE_SECURITY", "HTTP_1_1_REQUIRED"}
	if c > codeHighest {
		return fmt.Sprintf("error code %#x", uint32(c))
	}
	return names[c]
}

// connectionError ends a connection (RFC 9113 §5.4.1).
type connectionError struct {
	code   code
	reason string
}

func broken(c code, reason string) error { return &connectionError{c, reason} }

func (e *connectionError) Error() string { return "http2: " + e.code.String() + ": " + e.reason }
