package sklookup

import (
	"encoding/binary"
	"fmt"

	"github.com/cilium/ebpf/asm"
	"golang.org/x/sys/unix"
)

// Where struct bpf_sk_lookup has what (linux/bpf.h). Addresses and the remote port are in network order.
const (
	contextFamily     = 8
	contextProtocol   = 12
	contextRemote4    = 16
	contextRemote6    = 20
	contextRemotePort = 36
	contextLocal4     = 40
	contextLocal6     = 44
	contextLocalPort  = 60
	contextInterface  = 64 // Linux 5.17
)

// What the program keeps on its stack, from the frame pointer down. The words at the end lie at no multiple of eight: the
// verifier would follow the values of such, and not see that one turn of the loop is like the other.
const (
	stackTuple  = -40  // the client's tuple, lying like a cellKey of group 0
	stackCell   = -80  // the cellKey that is looked for
	stackFront  = -104 // the frontKey that is looked for
	stackNumber = -108 // the number of what is looked for in an array
	stackFamily = -116 // the client's, of Families
	stackBest   = -124 // the index of the best cell so far
	stackTo     = -132 // where it sends the client
	stackCount  = -140 // its counter
)

// Where a front's entry, a group's entry and a cell's entry have what, in bytes. Masks come first in a group's entry.
const (
	frontBase      = 0
	frontGroups    = 4
	frontOwn       = 8
	frontOtherwise = 12
	frontDual      = 16
	frontSize      = 20

	groupFamilies = 40
	groupFirst    = 44
	groupSize     = 48

	cellIndex   = 0
	cellTo      = 4
	cellCounter = 8
	cellSize    = 12
)

// Where the key of a front has what: address, port in host order, protocol, interface.
const (
	frontKeyPort      = 16
	frontKeyProtocol  = 18
	frontKeyInterface = 20
	frontKeySize      = 24
)

// none is the index when no cell was found.
const none = -1

// descriptors are those of the maps that a program works on.
type descriptors struct{ fronts, groups, cells, counters, sockets int }

// shapes are the kinds of fronts that there are: what no front has the program does not look for. Groups is the number of
// groups of the front that has the most: the verifier follows the loop that often.
type shapes struct {
	specific, wild4, wild6, byInterface, anyInterface bool
	groups                                            int
}

// code collects instructions.
type code struct {
	list  asm.Instructions
	label string // of the next instruction
}

func (c *code) add(list ...asm.Instruction) {
	for _, i := range list {
		if c.label != "" {
			i = i.WithSymbol(c.label)
			c.label = ""
		}
		c.list = append(c.list, i)
	}
}

// find has the key on the stack looked up in a map: R0 is the entry, or 0.
func (c *code) find(fd, key int) {
	c.add(asm.LoadMapPtr(asm.R1, fd), asm.Mov.Reg(asm.R2, asm.RFP), asm.Add.Imm(asm.R2, int32(key)), asm.FnMapLookupElem.Call())
}

// assemble writes the program: R6 is the context, R7 the front, and R8 counts groups.
func assemble(d descriptors, s shapes) asm.Instructions {
	c := &code{}
	if !s.anyInterface && !s.byInterface { // no front
		c.add(asm.Mov.Imm(asm.R0, 1), asm.Return())
		return c.list
	}
	c.add(asm.Mov.Reg(asm.R6, asm.R1))
	c.tuple()
	c.findFront(d, s)
	c.findCell(d, s.groups)
	c.decide(d)
	return c.list
}

// tuple copies the addresses to the stack, those of IPv4 as ::ffff:a.b.c.d.
func (c *code) tuple() {
	copyWord := func(from, to int) {
		c.add(asm.LoadMem(asm.R1, asm.R6, int16(from), asm.Word), asm.StoreMem(asm.RFP, int16(to), asm.R1, asm.Word))
	}
	c.zero(stackTuple+keyGroup, 8)
	c.add(asm.LoadMem(asm.R1, asm.R6, contextRemotePort, asm.Half), asm.StoreMem(asm.RFP, stackTuple+keyPort, asm.R1, asm.Half),
		asm.LoadMem(asm.R1, asm.R6, contextFamily, asm.Word),
		asm.JEq.Imm(asm.R1, unix.AF_INET, "four"), asm.JNE.Imm(asm.R1, unix.AF_INET6, "pass"))

	c.add(asm.StoreImm(asm.RFP, stackFamily, int64(IPv6), asm.Word))
	for i := 0; i < 16; i += 4 {
		copyWord(contextRemote6+i, stackTuple+keyClient+i)
		copyWord(contextLocal6+i, stackTuple+keyLocal+i)
	}
	c.add(asm.Ja.Label("fronts"))

	c.label = "four"
	c.add(asm.StoreImm(asm.RFP, stackFamily, int64(IPv4), asm.Word))
	for _, at := range []int16{stackTuple + keyClient, stackTuple + keyLocal} {
		c.mapped(at)
	}
	copyWord(contextRemote4, stackTuple+keyClient+12)
	copyWord(contextLocal4, stackTuple+keyLocal+12)
	c.label = "fronts"
}

// mapped writes the first twelve bytes of an IPv4 address in IPv6, ten zeros and two of 0xff.
func (c *code) mapped(at int16) {
	word := int64(int32(binary.NativeEndian.Uint32([]byte{0, 0, 0xff, 0xff})))
	c.zero(at, 8)
	c.add(asm.StoreImm(asm.RFP, at+8, word, asm.Word))
}

// zero writes zeros, four bytes at a time.
func (c *code) zero(at, size int16) {
	for i := int16(0); i < size; i += 4 {
		c.add(asm.StoreImm(asm.RFP, at+i, 0, asm.Word))
	}
}

// findFront finds where the client arrived, in the order in which the kernel prefers listeners: a certain address to all of
// them, then one interface to all of them. Where it is no front the client is left to the kernel.
func (c *code) findFront(d descriptors, s shapes) {
	c.add(asm.LoadMem(asm.R1, asm.R6, contextLocalPort, asm.Word), asm.StoreMem(asm.RFP, stackFront+frontKeyPort, asm.R1, asm.Half),
		asm.LoadMem(asm.R1, asm.R6, contextProtocol, asm.Word), asm.StoreMem(asm.RFP, stackFront+frontKeyProtocol, asm.R1, asm.Half))
	if s.specific {
		for i := int16(0); i < 16; i += 8 {
			c.add(asm.LoadMem(asm.R1, asm.RFP, stackTuple+keyLocal+i, asm.DWord), asm.StoreMem(asm.RFP, stackFront+i, asm.R1, asm.DWord))
		}
		c.try(d, s, false)
	}
	if s.wild4 {
		c.add(asm.LoadMem(asm.R1, asm.RFP, stackFamily, asm.Word), asm.JNE.Imm(asm.R1, int32(IPv4), "six"))
		c.mapped(stackFront)
		c.add(asm.StoreImm(asm.RFP, stackFront+12, 0, asm.Word))
		c.try(d, s, false)
		c.label = "six"
	}
	if s.wild6 {
		c.zero(stackFront, 16)
		c.try(d, s, true)
	}
	c.add(asm.Ja.Label("pass"))
}

// try looks for a front with the address on the stack, first with the interface that the client came by. dual is whether it
// may be one that is for IPv6 alone.
func (c *code) try(d descriptors, s shapes, dual bool) {
	look := func() {
		c.find(d.fronts, stackFront)
		if !dual {
			c.add(asm.JNE.Imm(asm.R0, 0, "front"))
			return
		}
		next := fmt.Sprintf("after %d", len(c.list))
		c.add(asm.JEq.Imm(asm.R0, 0, next), asm.LoadMem(asm.R1, asm.RFP, stackFamily, asm.Word), asm.JEq.Imm(asm.R1, int32(IPv6), "front"),
			asm.LoadMem(asm.R1, asm.R0, frontDual, asm.Word), asm.JNE.Imm(asm.R1, 0, "front"))
		c.label = next
	}
	if s.byInterface {
		c.add(asm.LoadMem(asm.R1, asm.R6, contextInterface, asm.Word), asm.StoreMem(asm.RFP, stackFront+frontKeyInterface, asm.R1, asm.Word))
		look()
	}
	if s.anyInterface {
		c.add(asm.StoreImm(asm.RFP, stackFront+frontKeyInterface, 0, asm.Word))
		look()
	}
}

// findCell looks into one group after the other for a cell of a lower index, until no group can have one.
func (c *code) findCell(d descriptors, most int) {
	c.label = "front"
	c.add(asm.Mov.Reg(asm.R7, asm.R0), asm.Mov.Imm(asm.R8, 0), asm.StoreImm(asm.RFP, stackBest, none, asm.Word),
		asm.StoreImm(asm.RFP, stackTo, 0, asm.Word), asm.StoreImm(asm.RFP, stackCount, 0, asm.Word))
	c.label = "group"
	c.add(asm.JGE.Imm(asm.R8, int32(most), "found"), // the verifier has to see an end
		asm.LoadMem(asm.R1, asm.R7, frontGroups, asm.Word), asm.JGE.Reg(asm.R8, asm.R1, "found"),
		asm.LoadMem(asm.R1, asm.R7, frontBase, asm.Word), asm.Add.Reg(asm.R1, asm.R8), asm.StoreMem(asm.RFP, stackNumber, asm.R1, asm.Word))
	c.find(d.groups, stackNumber)
	c.add(asm.JEq.Imm(asm.R0, 0, "found"),
		asm.LoadMem(asm.R1, asm.R0, groupFirst, asm.Word), asm.LoadMem(asm.R2, asm.RFP, stackBest, asm.Word), asm.JLE.Reg(asm.R2, asm.R1, "found"),
		asm.LoadMem(asm.R1, asm.R0, groupFamilies, asm.Word), asm.LoadMem(asm.R2, asm.RFP, stackFamily, asm.Word),
		asm.And.Reg(asm.R1, asm.R2), asm.JEq.Imm(asm.R1, 0, "next group"))
	for i := int16(0); i < 40; i += 8 {
		c.add(asm.LoadMem(asm.R1, asm.R0, i, asm.DWord), asm.LoadMem(asm.R2, asm.RFP, stackTuple+i, asm.DWord),
			asm.And.Reg(asm.R1, asm.R2), asm.StoreMem(asm.RFP, stackCell+i, asm.R1, asm.DWord))
	}
	c.add(asm.LoadMem(asm.R1, asm.RFP, stackNumber, asm.Word), asm.StoreMem(asm.RFP, stackCell+keyGroup, asm.R1, asm.Word))
	c.find(d.cells, stackCell)
	c.add(asm.JEq.Imm(asm.R0, 0, "next group"),
		asm.LoadMem(asm.R1, asm.R0, cellIndex, asm.Word), asm.LoadMem(asm.R2, asm.RFP, stackBest, asm.Word),
		asm.JGE.Reg(asm.R1, asm.R2, "next group"), asm.StoreMem(asm.RFP, stackBest, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, asm.R0, cellTo, asm.Word), asm.StoreMem(asm.RFP, stackTo, asm.R1, asm.Word),
		asm.LoadMem(asm.R1, asm.R0, cellCounter, asm.Word), asm.StoreMem(asm.RFP, stackCount, asm.R1, asm.Word))
	c.label = "next group"
	c.add(asm.Add.Imm(asm.R8, 1), asm.Ja.Label("group"))
	c.label = "found"
}

// decide does what the best rule says. Where a slot is empty the front gets the client.
func (c *code) decide(d descriptors) {
	c.add(asm.LoadMem(asm.R1, asm.RFP, stackBest, asm.Word), asm.JNE.Imm32(asm.R1, none, "count"),
		asm.LoadMem(asm.R1, asm.R7, frontOtherwise, asm.Word), asm.StoreMem(asm.RFP, stackTo, asm.R1, asm.Word), asm.Ja.Label("send"))
	c.label = "count"
	c.find(d.counters, stackCount)
	c.add(asm.JEq.Imm(asm.R0, 0, "send"), asm.Mov.Imm(asm.R1, 1), asm.AddAtomic.Mem(asm.R0, asm.R1, asm.DWord, 0))
	c.label = "send"
	c.add(asm.LoadMem(asm.R1, asm.RFP, stackTo, asm.Word), asm.JEq.Imm32(asm.R1, Drop, "drop"))
	c.assign(d, stackTo, "own")
	c.label = "own"
	c.add(asm.LoadMem(asm.R1, asm.R7, frontOwn, asm.Word), asm.StoreMem(asm.RFP, stackTo, asm.R1, asm.Word))
	c.assign(d, stackTo, "pass")
	c.label = "pass"
	c.add(asm.Mov.Imm(asm.R0, 1), asm.Return()) // SK_PASS
	c.label = "drop"
	c.add(asm.Mov.Imm(asm.R0, 0), asm.Return()) // SK_DROP
}

// assign gives the client to the socket of a slot. Where there is none, or one that cannot have it, it goes on elsewhere. The
// flag keeps the kernel from choosing another socket of the same SO_REUSEPORT group.
func (c *code) assign(d descriptors, slot int, elsewhere string) {
	const noReuseport = 2 // BPF_SK_LOOKUP_F_NO_REUSEPORT
	c.find(d.sockets, slot)
	c.add(asm.JEq.Imm(asm.R0, 0, elsewhere),
		asm.Mov.Reg(asm.R8, asm.R0), asm.Mov.Reg(asm.R1, asm.R6), asm.Mov.Reg(asm.R2, asm.R0), asm.Mov.Imm(asm.R3, noReuseport), asm.FnSkAssign.Call(),
		asm.Mov.Reg(asm.R9, asm.R0), asm.Mov.Reg(asm.R1, asm.R8), asm.FnSkRelease.Call(),
		asm.JNE.Imm(asm.R9, 0, elsewhere), asm.Ja.Label("pass"))
}
