package listing

import (
	"archive/tar"
	"io"
	"io/fs"
)

// tarball is a compressed tar archive. Owners are not in it, and modes only as far as files can be executed.
type tarball struct {
	*tar.Writer
	encoder io.WriteCloser
}

func newTarball(encoder io.WriteCloser) *tarball { return &tarball{tar.NewWriter(encoder), encoder} }

func (t *tarball) folder(name string, info fs.FileInfo) error {
	return t.WriteHeader(&tar.Header{Typeflag: tar.TypeDir, Name: name, Mode: 0o755, ModTime: info.ModTime()})
}

func (t *tarball) file(name string, info fs.FileInfo) (io.Writer, error) {
	return t.Writer, t.WriteHeader(&tar.Header{
		Typeflag: tar.TypeReg, Name: name, Size: info.Size(), Mode: int64(fileMode(info)), ModTime: info.ModTime(),
	})
}

func (t *tarball) Close() error {
	if err := t.Writer.Close(); err != nil {
		return err
	}
	return t.encoder.Close()
}

// fileMode tells whether a file can be executed and nothing else.
func fileMode(info fs.FileInfo) fs.FileMode {
	if info.Mode()&0o100 != 0 {
		return 0o755
	}
	return 0o644
}
