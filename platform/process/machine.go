package process

import (
	"bytes"
	"debug/elf"
	"encoding/binary"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"
)

// interpreters is how many scripts may run one another before the program: "#!" may name a script again (execve(2)).
const interpreters = 4

// Machine returns an error that names the machine where the file is an ELF program for another ABI than ours, such as a 32-bit
// one: its system calls have other numbers. It follows "#!" to the interpreter. What it cannot read is no error.
func Machine(path string) error {
	for range interpreters {
		head, err := readHead(path)
		if err != nil {
			return nil
		}
		if line, ok := bytes.CutPrefix(head, []byte("#!")); ok {
			line, _, _ = bytes.Cut(line, []byte("\n"))
			fields := strings.Fields(string(line))
			if len(fields) == 0 {
				return nil
			}
			path = fields[0]
			continue
		}
		return machine(path, head)
	}
	return nil
}

// IsForeign tells whether the file is a program for another ABI than ours.
func IsForeign(path string) bool { return Machine(path) != nil }

func readHead(path string) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	head := make([]byte, 256)
	n, err := io.ReadFull(f, head)
	if err == io.ErrUnexpectedEOF {
		err = nil
	}
	return head[:n], err
}

// machine looks at e_ident and e_machine (elf(5)).
func machine(path string, head []byte) error {
	if len(head) < 20 || !bytes.HasPrefix(head, []byte(elf.ELFMAG)) {
		return nil
	}
	var order binary.ByteOrder = binary.LittleEndian
	if elf.Data(head[elf.EI_DATA]) == elf.ELFDATA2MSB {
		order = binary.BigEndian
	}
	class, is := elf.Class(head[elf.EI_CLASS]), elf.Machine(order.Uint16(head[18:]))
	ours := map[string]elf.Machine{"amd64": elf.EM_X86_64, "arm64": elf.EM_AARCH64}[runtime.GOARCH]
	if ours == elf.EM_NONE || class == elf.ELFCLASS64 && is == ours {
		return nil
	}
	bits := map[elf.Class]string{elf.ELFCLASS32: "32-bit ", elf.ELFCLASS64: "64-bit "}[class]
	return fmt.Errorf("%s is a %sprogram for %s, and this one is for %s", path, bits, strings.TrimPrefix(is.String(), "EM_"), runtime.GOARCH)
}
