package listing

import (
	"archive/zip"
	"io"
	"io/fs"

	"github.com/klauspost/compress/flate"
)

// zipArchive is a zip archive whose sizes stand behind the files, since they are compressed while they are sent. archive/zip
// marks names as UTF-8 when they are, and takes zip64 where it must (APPNOTE.TXT 4.3.9, 4.4.4).
type zipArchive struct{ *zip.Writer }

// Bytes that do not shrink pass quickly at this level.
const flateLevel = 4

func newZip(out io.Writer) zipArchive {
	w := zip.NewWriter(out)
	var encoder *flate.Writer // files come one by one, so one encoder does for all
	w.RegisterCompressor(zip.Deflate, func(out io.Writer) (io.WriteCloser, error) {
		if encoder != nil {
			encoder.Reset(out)
			return encoder, nil
		}
		var err error
		encoder, err = flate.NewWriter(out, flateLevel)
		return encoder, err
	})
	return zipArchive{w}
}

func (z zipArchive) folder(name string, info fs.FileInfo) error {
	header := &zip.FileHeader{Name: name, Modified: info.ModTime()}
	header.SetMode(fs.ModeDir | 0o755)
	_, err := z.CreateHeader(header)
	return err
}

func (z zipArchive) file(name string, info fs.FileInfo) (io.Writer, error) {
	header := &zip.FileHeader{Name: name, Modified: info.ModTime(), Method: zip.Deflate}
	header.SetMode(fileMode(info))
	return z.CreateHeader(header)
}
