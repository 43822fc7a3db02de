package files

import (
	"context"
	"io"
	"os"
)

// remember takes the bytes of a small file from memory, or puts them there. The file is open and was looked up by all the
// rules, and the bytes are of the very state that it has: a hit answers what a reading would.
func (s *sending) remember(ctx context.Context) {
	if s.h.Memory == nil || s.coding != "" || s.id.size > s.h.Small {
		return
	}
	body, hit, err := s.h.Memory.Get(ctx, s.id, func() ([]byte, error) { return readFile(s.file, s.id) })
	if err != nil {
		return // it goes from the file, where the error shows again if it lasts
	}
	if hit {
		s.Header().Set("X-Cache", "HIT")
	}
	s.body = body
}

// readFile reads a file whole and fails if it is not in the state id any more when it was read.
func readFile(file *os.File, id Identity) ([]byte, error) {
	body := make([]byte, id.size)
	if _, err := io.ReadFull(io.NewSectionReader(file, 0, id.size), body); err != nil {
		return nil, err
	}
	return body, unchanged(file, id)
}

// memory is a file's bytes for http.ServeContent.
type memory struct {
	body []byte
	at   int64
}

func (m *memory) Seek(offset int64, whence int) (int64, error) {
	switch whence { // http.ServeContent only seeks to where something is
	case io.SeekEnd:
		offset += int64(len(m.body))
	case io.SeekCurrent:
		offset += m.at
	}
	m.at = offset
	return offset, nil
}

func (m *memory) Read(b []byte) (int, error) {
	n := copy(b, m.body[m.at:])
	m.at += int64(n)
	if n == 0 && len(b) > 0 {
		return 0, io.EOF
	}
	return n, nil
}
