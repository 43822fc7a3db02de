package main

import (
	"bytes"
	"debug/macho"
	"encoding/binary"
	"testing"
)

// thinProgram is the least that is a Mach-O program: a header, and something behind it.
func thinProgram(cpu macho.Cpu, length int) []byte {
	var out bytes.Buffer
	binary.Write(&out, binary.LittleEndian, macho.FileHeader{Magic: macho.Magic64, Cpu: cpu, Type: macho.TypeExec})
	out.Write(make([]byte, 4)) // reserved, of 64 bits
	out.Write(bytes.Repeat([]byte{byte(cpu)}, length))
	return out.Bytes()
}

func TestUniversalBinary(t *testing.T) {
	thin := [][]byte{thinProgram(macho.CpuAmd64, 1<<14), thinProgram(macho.CpuArm64, 5)}
	universal, err := universalBinary(thin)
	if err != nil {
		t.Fatal(err)
	}
	file, err := macho.NewFatFile(bytes.NewReader(universal))
	if err != nil || len(file.Arches) != len(thin) {
		t.Fatal(file, err)
	}
	for i, arch := range file.Arches {
		if !bytes.Equal(universal[arch.Offset:arch.Offset+arch.Size], thin[i]) || arch.Offset%(1<<arch.Align) != 0 || arch.Align != 14 {
			t.Errorf("%v: %+v", arch.Cpu, arch.FatArchHeader)
		}
	}
	if _, err := universalBinary([][]byte{[]byte("#!/bin/sh\n")}); err == nil {
		t.Error("a script is a program for macOS")
	}
}
