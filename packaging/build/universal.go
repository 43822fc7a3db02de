package main

import (
	"bytes"
	"context"
	"debug/macho"
	"encoding/binary"
	"fmt"
	"os"
)

// makeUniversal makes the archive for macOS with one program for both processors.
func (r *release) makeUniversal(ctx context.Context) error {
	var thin [][]byte
	for _, arch := range architectures() {
		program, err := os.ReadFile(r.binaries[target{"darwin", arch}].path)
		if err != nil {
			return err
		}
		thin = append(thin, program)
	}
	program, err := universalBinary(thin)
	if err != nil {
		return err
	}
	if err := ctx.Err(); err != nil {
		return err
	}
	return r.makeArchive("darwin_universal", program)
}

// fatArch is struct fat_arch of mach-o/fat.h.
type fatArch struct{ CPU, SubCPU, Offset, Size, Align uint32 }

// universalBinary puts Mach-O programs into one file, from which macOS takes the one for its processor (mach-o/fat.h).
func universalBinary(thin [][]byte) ([]byte, error) {
	const align = 14 // as a power of two: pages of arm64 have 16 KiB
	offset := uint32(1 << align)
	var headers []fatArch
	for _, program := range thin {
		file, err := macho.NewFile(bytes.NewReader(program))
		if err != nil {
			return nil, fmt.Errorf("read a program for macOS: %w", err)
		}
		headers = append(headers, fatArch{uint32(file.Cpu), file.SubCpu, offset, uint32(len(program)), align})
		offset = (offset + uint32(len(program)) + 1<<align - 1) &^ (1<<align - 1)
	}
	var out bytes.Buffer
	binary.Write(&out, binary.BigEndian, []uint32{macho.MagicFat, uint32(len(headers))}) // a bytes.Buffer takes everything
	binary.Write(&out, binary.BigEndian, headers)
	for i, program := range thin {
		out.Write(make([]byte, int(headers[i].Offset)-out.Len()))
		out.Write(program)
	}
	return out.Bytes(), nil
}
