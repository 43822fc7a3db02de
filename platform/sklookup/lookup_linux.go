package sklookup

import (
	"encoding/binary"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strconv"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/link"
	"golang.org/x/sys/unix"
)

// Slots is how many sockets a Lookup holds at most.
const Slots = 4096

// Owner says what the socket of a slot is for. The zero value is nobody.
type Owner [32]byte

// Lookup is the choice of sockets in one network namespace.
type Lookup struct {
	namespace *os.File
	folder    string   // of the pins; empty: nothing is pinned
	lock      *os.File // the folder, locked

	sockets  *ebpf.Map // SOCKMAP: the sockets by slot. The kernel takes out those that are closed
	owners   *ebpf.Map // what each slot is for, so that a later process knows
	counters *ebpf.Map // of the program that is attached; nil before the first Load
	link     link.Link // nil before the first Load
}

// Probe tells why this process cannot have a Lookup in its own network namespace; nil where it can. It attaches a program that
// does nothing, for a moment.
func Probe() error {
	p, err := newProgram("rouse_probe", asm.Instructions{asm.Mov.Imm(asm.R0, 1), asm.Return()})
	if err != nil {
		return err
	}
	defer p.Close()
	namespace, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		return err
	}
	defer namespace.Close()
	attached, err := link.AttachNetNs(int(namespace.Fd()), p)
	if err != nil {
		return reason(err)
	}
	return attached.Close()
}

// KnowsInterfaces tells whether the kernel says by which interface a client came (Linux 5.17).
func KnowsInterfaces() bool {
	p, err := newProgram("rouse_probe", asm.Instructions{asm.LoadMem(asm.R0, asm.R1, contextInterface, asm.Word), asm.Mov.Imm(asm.R0, 1), asm.Return()})
	if err != nil {
		return false
	}
	p.Close()
	return true
}

func newProgram(name string, list asm.Instructions) (*ebpf.Program, error) {
	p, err := ebpf.NewProgram(&ebpf.ProgramSpec{
		Name: name, Type: ebpf.SkLookup, AttachType: ebpf.AttachSkLookup, License: "Apache-2.0", Instructions: list,
	})
	return p, reason(err)
}

// reason says what an error of bpf(2) means.
func reason(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, unix.EPERM), errors.Is(err, unix.EACCES):
		return fmt.Errorf("it needs the capabilities CAP_BPF and CAP_NET_ADMIN: %w", err)
	case errors.Is(err, unix.ENOSYS), errors.Is(err, unix.EINVAL):
		return fmt.Errorf("it needs Linux 5.9 with CONFIG_BPF_SYSCALL: %w", err)
	}
	return err
}

// Open returns the Lookup of a network namespace, of which the file becomes its own. Folder is on a bpf file system, and is
// made where it is not there; what an earlier process left in it goes on, and one that still uses it is an error. Without a
// folder all ends with the process.
func Open(namespace *os.File, folder string) (*Lookup, error) {
	l := &Lookup{namespace: namespace}
	err := l.open(folder)
	if err != nil {
		l.Close()
		return nil, err
	}
	return l, nil
}

func (l *Lookup) open(folder string) error {
	if folder == "" {
		return l.begin()
	}
	inode, err := l.inode()
	if err != nil {
		return err
	}
	l.folder = filepath.Join(folder, "net-"+strconv.FormatUint(inode, 10))
	if err := MakeFolder(l.folder); err != nil {
		return err
	}
	if l.lock, err = lockFolder(l.folder); err != nil {
		return err
	}
	if l.resume(inode) {
		return nil
	}
	return l.begin()
}

// lockFolder locks a folder of pins, as long as the file is open.
func lockFolder(folder string) (*os.File, error) {
	f, err := os.Open(folder)
	if err != nil {
		return nil, fmt.Errorf("pins: %w", err)
	}
	if err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB); err != nil {
		f.Close()
		return nil, fmt.Errorf("pins in %s: another process that runs has them: stop it, or choose another folder: %w", folder, err)
	}
	return f, nil
}

// inode is the number of the namespace.
func (l *Lookup) inode() (uint64, error) {
	var st unix.Stat_t
	if err := unix.Fstat(int(l.namespace.Fd()), &st); err != nil {
		return 0, fmt.Errorf("network namespace: %w", err)
	}
	return st.Ino, nil
}

// MakeFolder makes a folder for pins, which has to be on a bpf file system, for this user alone.
func MakeFolder(folder string) error {
	there := folder
	var st unix.Statfs_t
	for {
		err := unix.Statfs(there, &st)
		if err == nil {
			break
		}
		if !errors.Is(err, unix.ENOENT) || there == filepath.Dir(there) {
			return fmt.Errorf("pins in %s: %w", folder, err)
		}
		there = filepath.Dir(there)
	}
	if st.Type != unix.BPF_FS_MAGIC {
		return fmt.Errorf("pins in %s: %s is on no bpf file system: mount one (mount -t bpf bpf /sys/fs/bpf), or choose a folder there", folder, there)
	}
	if err := os.MkdirAll(folder, 0o700); err != nil {
		return fmt.Errorf("pins: %w", err)
	}
	return ownAlone(folder)
}

// ownAlone tells whether another user could put something into a folder of a bpf file system, or another one into its place: where
// it is mounted mostly everybody may make folders.
func ownAlone(folder string) error {
	for at := filepath.Clean(folder); ; at = filepath.Dir(at) {
		var st unix.Statfs_t
		if err := unix.Statfs(at, &st); err != nil {
			return fmt.Errorf("pins in %s: %w", folder, err)
		}
		if st.Type != unix.BPF_FS_MAGIC {
			return nil
		}
		var file unix.Stat_t
		if err := unix.Lstat(at, &file); err != nil {
			return fmt.Errorf("pins in %s: %w", folder, err)
		}
		open := file.Mode&0o022 != 0 && file.Mode&unix.S_ISVTX == 0 // as in /tmp, what stands there is its owner's
		if file.Mode&unix.S_IFMT != unix.S_IFDIR || open || file.Uid != 0 && int(file.Uid) != os.Geteuid() {
			return fmt.Errorf("pins in %s: other users may change %s: remove it, or choose another folder", folder, at)
		}
	}
}

// The files of a folder. A later version that lays the maps out in another way names them otherwise.
const (
	pinSockets = "sockets-1"
	pinOwners  = "owners-1"
	pinLink    = "link-1"
)

// resume takes up what an earlier process pinned. It is false where that is nothing whole: it is removed then.
func (l *Lookup) resume(inode uint64) bool {
	var err error
	if l.sockets, err = ebpf.LoadPinnedMap(filepath.Join(l.folder, pinSockets), nil); err == nil {
		if l.owners, err = ebpf.LoadPinnedMap(filepath.Join(l.folder, pinOwners), nil); err == nil {
			l.link, err = link.LoadPinnedLink(filepath.Join(l.folder, pinLink), nil)
		}
	}
	if err == nil && l.attachedTo(inode) && socketsSpec().Compatible(l.sockets) == nil && ownersSpec().Compatible(l.owners) == nil {
		return true
	}
	l.closeObjects()
	l.removePins()
	return false
}

// attachedTo tells whether the link is to the namespace. That of a namespace that is gone is to none.
func (l *Lookup) attachedTo(inode uint64) bool {
	info, err := l.link.Info()
	return err == nil && info.Type == link.NetNsType && info.NetNs() != nil && uint64(info.NetNs().NetnsInode) == inode
}

func socketsSpec() *ebpf.MapSpec {
	return &ebpf.MapSpec{Name: "rouse_sockets", Type: ebpf.SockMap, KeySize: 4, ValueSize: 8, MaxEntries: Slots}
}

func ownersSpec() *ebpf.MapSpec {
	return &ebpf.MapSpec{Name: "rouse_owners", Type: ebpf.Array, KeySize: 4, ValueSize: uint32(len(Owner{})), MaxEntries: Slots}
}

// begin makes the maps that outlive a program.
func (l *Lookup) begin() (err error) {
	if l.sockets, err = newMap(socketsSpec()); err != nil {
		return err
	}
	if l.owners, err = newMap(ownersSpec()); err != nil {
		return err
	}
	if l.folder == "" {
		return nil
	}
	if err := errors.Join(l.sockets.Pin(filepath.Join(l.folder, pinSockets)), l.owners.Pin(filepath.Join(l.folder, pinOwners))); err != nil {
		l.removePins()
		return err
	}
	return nil
}

// newMap makes a map. Kernels before 5.11 count maps as locked memory.
func newMap(spec *ebpf.MapSpec) (*ebpf.Map, error) {
	m, err := ebpf.NewMap(spec)
	if errors.Is(err, unix.EPERM) {
		unix.Setrlimit(unix.RLIMIT_MEMLOCK, &unix.Rlimit{Cur: unix.RLIM_INFINITY, Max: unix.RLIM_INFINITY})
		m, err = ebpf.NewMap(spec)
	}
	return m, reason(err)
}

// Load puts the fronts into the kernel, in the place of those that were there, at once for each client. Counters is how many
// counters the rules have; they begin at zero. Two fronts at one place are an error.
func (l *Lookup) Load(plans []Plan, counters int) error {
	p, counts, err := l.build(plans, counters)
	if err != nil {
		return err
	}
	defer p.Close() // the link holds it
	if err := l.attach(p); err != nil {
		counts.Close()
		return err
	}
	if l.counters != nil {
		l.counters.Close()
	}
	l.counters = counts
	return nil
}

// build makes the program of the fronts, with maps of its own for all but the sockets, and returns that of the counters.
func (l *Lookup) build(plans []Plan, counters int) (p *ebpf.Program, counts *ebpf.Map, err error) {
	t, err := join(plans)
	if err != nil {
		return nil, nil, err
	}
	maps, err := t.maps(counters)
	defer func() {
		for i, m := range maps {
			if err != nil || i < len(maps)-1 {
				m.Close() // the program holds it
			}
		}
	}()
	if err != nil {
		return nil, nil, err
	}
	counts = maps[3]
	p, err = newProgram("rouse_lookup", assemble(descriptors{
		fronts: maps[0].FD(), groups: maps[1].FD(), cells: maps[2].FD(), counters: counts.FD(), sockets: l.sockets.FD(),
	}, t.shapes))
	return p, counts, err
}

// attach has the kernel ask the program from now on.
func (l *Lookup) attach(p *ebpf.Program) error {
	if l.link != nil {
		return reason(l.link.Update(p))
	}
	attached, err := link.AttachNetNs(int(l.namespace.Fd()), p)
	if err != nil {
		return reason(err)
	}
	if l.folder != "" {
		if err := attached.Pin(filepath.Join(l.folder, pinLink)); err != nil {
			attached.Close()
			return err
		}
	}
	l.link = attached
	return nil
}

// table is what a program reads.
type table struct {
	shapes shapes
	fronts map[frontKey]frontEntry
	groups [][groupSize]byte
	keys   []cellKey
	cells  []cellEntry
}

type (
	frontKey   [frontKeySize]byte
	frontEntry [frontSize / 4]uint32
	cellEntry  [cellSize / 4]uint32
)

// join makes one table of all fronts: the groups of one stand beside each other.
func join(plans []Plan) (*table, error) {
	t := &table{fronts: map[frontKey]frontEntry{}}
	for _, p := range plans {
		key := p.front.key()
		if _, taken := t.fronts[key]; taken {
			return nil, fmt.Errorf("two fronts are bound to %s", p.front.Local)
		}
		base := uint32(len(t.groups))
		dual := uint32(0)
		if p.front.Dual {
			dual = 1
		}
		t.fronts[key] = frontEntry{base, uint32(len(p.groups)), uint32(p.front.Own), uint32(p.front.Otherwise), dual}
		t.shapes.have(p.front)
		t.shapes.groups = max(t.shapes.groups, len(p.groups))
		for _, g := range p.groups {
			t.groups = append(t.groups, g.entry())
		}
		for key, c := range p.cells {
			binary.NativeEndian.PutUint32(key[keyGroup:], base+binary.NativeEndian.Uint32(key[keyGroup:]))
			t.keys = append(t.keys, key)
			t.cells = append(t.cells, cellEntry{c.index, c.to, c.counter})
		}
	}
	return t, nil
}

// key is what the program finds the front by.
func (f Front) key() (k frontKey) {
	address := f.Local.Addr().As16()
	copy(k[:], address[:])
	binary.NativeEndian.PutUint16(k[frontKeyPort:], f.Local.Port())
	binary.NativeEndian.PutUint16(k[frontKeyProtocol:], uint16(f.Protocol))
	binary.NativeEndian.PutUint32(k[frontKeyInterface:], uint32(f.Interface))
	return k
}

// have notes what kind of front there is.
func (s *shapes) have(f Front) {
	switch {
	case !f.Local.Addr().Unmap().IsUnspecified():
		s.specific = true
	case f.families() == IPv4:
		s.wild4 = true
	default:
		s.wild6 = true
	}
	if f.Interface != 0 {
		s.byInterface = true
	} else {
		s.anyInterface = true
	}
}

func (g group) entry() (e [groupSize]byte) {
	copy(e[:], g.masks[:])
	binary.NativeEndian.PutUint32(e[groupFamilies:], uint32(g.families))
	binary.NativeEndian.PutUint32(e[groupFirst:], g.first)
	return e
}

// maps makes the maps of the table: fronts, groups, cells and counters. On error some of them.
func (t *table) maps(counters int) (maps []*ebpf.Map, err error) {
	for _, spec := range []*ebpf.MapSpec{
		{Name: "rouse_fronts", Type: ebpf.Hash, KeySize: frontKeySize, ValueSize: frontSize, MaxEntries: uint32(max(1, len(t.fronts)))},
		{Name: "rouse_groups", Type: ebpf.Array, KeySize: 4, ValueSize: groupSize, MaxEntries: uint32(max(1, len(t.groups)))},
		{Name: "rouse_cells", Type: ebpf.Hash, KeySize: uint32(len(cellKey{})), ValueSize: cellSize, MaxEntries: uint32(max(1, len(t.cells)))},
		{Name: "rouse_counters", Type: ebpf.PerCPUArray, KeySize: 4, ValueSize: 8, MaxEntries: uint32(max(1, counters))},
	} {
		m, err := newMap(spec)
		if err != nil {
			return maps, err
		}
		maps = append(maps, m)
	}
	for key, entry := range t.fronts {
		if err := maps[0].Put(key, entry); err != nil {
			return maps, err
		}
	}
	for i, g := range t.groups {
		if err := maps[1].Put(uint32(i), g); err != nil {
			return maps, err
		}
	}
	if len(t.keys) > 0 {
		_, err = maps[2].BatchUpdate(t.keys, t.cells, nil)
	}
	return maps, err
}

// Counts returns the counters: how often each was chosen since Load. TCP counts attempts to connect, UDP datagrams.
func (l *Lookup) Counts() ([]uint64, error) {
	if l.counters == nil {
		return nil, nil
	}
	counts := make([]uint64, l.counters.MaxEntries())
	for i := range counts {
		var each []uint64 // by processor
		if err := l.counters.Lookup(uint32(i), &each); err != nil {
			return nil, err
		}
		for _, n := range each {
			counts[i] += n
		}
	}
	return counts, nil
}

// Put puts a socket into a slot: a TCP socket that listens, or a bound UDP socket. It stays there until it is closed
// everywhere, or another one is put there; also when it does not listen any more (shutdown(2)): its clients try again then, until
// it does.
func (l *Lookup) Put(slot int, fd int, owner Owner) error {
	if err := l.owners.Put(uint32(slot), owner); err != nil {
		return reason(err)
	}
	if err := l.sockets.Put(uint32(slot), uint64(fd)); err != nil {
		return fmt.Errorf("descriptor %d cannot be put into a map of sockets: %w", fd, err)
	}
	return nil
}

// Remove empties a slot.
func (l *Lookup) Remove(slot int) error {
	if err := l.sockets.Delete(uint32(slot)); err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) && !errors.Is(err, unix.EINVAL) {
		return err
	}
	return l.owners.Put(uint32(slot), Owner{})
}

// Cookie returns what the socket in a slot is known by (SO_COOKIE, socket(7)); 0 where there is none.
func (l *Lookup) Cookie(slot int) uint64 {
	var cookie uint64
	if l.sockets.Lookup(uint32(slot), &cookie) != nil {
		return 0
	}
	return cookie
}

// Owners returns what each slot is for.
func (l *Lookup) Owners() ([]Owner, error) {
	owners := make([]Owner, Slots)
	for i := range owners {
		if err := l.owners.Lookup(uint32(i), &owners[i]); err != nil {
			return nil, reason(err)
		}
	}
	return owners, nil
}

// Close lets go of it. What is pinned goes on.
func (l *Lookup) Close() {
	l.closeObjects()
	l.namespace.Close()
	if l.lock != nil {
		l.lock.Close()
	}
}

func (l *Lookup) closeObjects() {
	for _, m := range []*ebpf.Map{l.sockets, l.owners, l.counters} {
		if m != nil {
			m.Close()
		}
	}
	if l.link != nil {
		l.link.Close()
	}
	l.sockets, l.owners, l.counters, l.link = nil, nil, nil, nil
}

// Unpin ends it for good: with Close the kernel forgets all.
func (l *Lookup) Unpin() {
	if l.folder != "" {
		l.removePins()
		os.Remove(l.folder)
	}
}

func (l *Lookup) removePins() {
	for _, name := range []string{pinLink, pinSockets, pinOwners} {
		os.Remove(filepath.Join(l.folder, name))
	}
}

// UnpinAll ends what any process pinned below the folder, in all namespaces. What a process uses is left, and is an error.
func UnpinAll(folder string) error {
	folders, err := filepath.Glob(filepath.Join(folder, "net-*"))
	errs := []error{err}
	for _, f := range folders {
		lock, err := lockFolder(f)
		if err != nil {
			errs = append(errs, err)
			continue
		}
		(&Lookup{folder: f}).Unpin()
		lock.Close()
	}
	return errors.Join(errs...)
}
