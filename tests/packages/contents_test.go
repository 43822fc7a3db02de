package packages

import (
	"bytes"
	"debug/elf"
	"debug/macho"
	"encoding/json"
	"os"
	"strings"
	"testing"
)

// The universal binary has the same two programs in it as the archives for one processor.
func TestUniversalBinary(t *testing.T) {
	t.Parallel()
	program := func(platform string) []byte {
		folder := "rouse_" + version + "_darwin_" + platform
		return unpack(t, made("first", folder+".tar.gz"))[folder+"/rouse"]
	}
	universal := program("universal")
	file, err := macho.NewFatFile(bytes.NewReader(universal))
	if err != nil {
		t.Fatal(err)
	}
	want := map[macho.Cpu][]byte{macho.CpuAmd64: program("amd64"), macho.CpuArm64: program("arm64")}
	if len(file.Arches) != len(want) {
		t.Errorf("%d programs", len(file.Arches))
	}
	for _, arch := range file.Arches {
		if arch.Offset%(1<<14) != 0 || !bytes.Equal(universal[arch.Offset:arch.Offset+arch.Size], want[arch.Cpu]) {
			t.Errorf("%v at %d is not the one of its archive", arch.Cpu, arch.Offset)
		}
	}
}

// Each package has the program for its own processor.
func TestProcessors(t *testing.T) {
	t.Parallel()
	for arch, machine := range map[string]elf.Machine{"x86_64": elf.EM_X86_64, "aarch64": elf.EM_AARCH64} {
		program := unpack(t, made("first", "rouse_"+version+"_"+arch+".apk"))["usr/bin/rouse"]
		file, err := elf.NewFile(bytes.NewReader(program))
		if err != nil {
			t.Fatal(err)
		}
		if file.Machine != machine {
			t.Errorf("%s: %v", arch, file.Machine)
		}
	}
}

// The list of modules has those that the program certainly has, with their checksums, and names itself.
func TestSBOM(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(made("first", "rouse_"+version+".cdx.json"))
	if err != nil {
		t.Fatal(err)
	}
	var bom struct {
		BOMFormat, SpecVersion string
		Metadata               struct {
			Timestamp string
			Component struct{ Name, Version, PURL string }
		}
		Components []struct {
			Name, PURL string
			Hashes     []struct{ Alg, Content string }
		}
	}
	if err := json.Unmarshal(text, &bom); err != nil {
		t.Fatal(err)
	}
	self := bom.Metadata.Component
	if bom.BOMFormat != "CycloneDX" || self.PURL != "pkg:golang/github.com/rouse-server/rouse@v"+version || bom.Metadata.Timestamp != "2023-11-14T22:13:20Z" {
		t.Errorf("%s %s %+v", bom.BOMFormat, bom.SpecVersion, bom.Metadata)
	}
	found := map[string]bool{}
	for _, c := range bom.Components {
		found[c.Name] = strings.HasPrefix(c.PURL, "pkg:golang/") && (c.Name == "std" || len(c.Hashes) == 1 && len(c.Hashes[0].Content) == 64)
	}
	for _, name := range []string{"std", "github.com/spf13/pflag", "golang.org/x/sys", "golang.org/x/crypto"} {
		if !found[name] {
			t.Errorf("no %s, or none with its checksum", name)
		}
	}
}
