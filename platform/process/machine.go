package process

import (
	"bytes"
	"cmp"
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

// machine looks at e_ident and e_machine (elf(5)). Package debug/elf would bring decompressors and debuggers with it.
func machine(path string, head []byte) error {
	const class, data, machine = 4, 5, 18 // offsets; the first two are EI_CLASS and EI_DATA
	if len(head) < machine+2 || !bytes.HasPrefix(head, []byte("\x7fELF")) {
		return nil
	}
	is := binary.LittleEndian.Uint16(head[machine:])
	if head[data] == 2 { // ELFDATA2MSB
		is = binary.BigEndian.Uint16(head[machine:])
	}
	names := map[uint16]string{3: "386", 8: "MIPS", 20: "PPC", 21: "PPC64", 22: "S390", 40: "ARM", 62: "X86_64", 183: "AARCH64", 243: "RISCV", 258: "LOONGARCH"}
	ours, known := map[string]string{"amd64": "X86_64", "arm64": "AARCH64"}[runtime.GOARCH]
	bits := map[byte]string{1: "32-bit ", 2: "64-bit "}[head[class]]
	if !known || bits == "64-bit " && names[is] == ours {
		return nil
	}
	return fmt.Errorf("%s is a %sprogram for %s, and this one is for %s", path, bits, cmp.Or(names[is], fmt.Sprintf("machine %d", is)), runtime.GOARCH)
}
