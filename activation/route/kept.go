package route

import (
	"golang.org/x/sys/unix"

	"github.com/rouse-server/rouse/activation"
)

// Keeper keeps copies of descriptors, by name, for the dispatcher after this one: clients in their queues wait meanwhile.
// *activation.Store is one.
type Keeper interface {
	Room() bool // for one more
	Keep(name string, fd int) error
	Forget(name string)
}

// KeptPrefix begins the names under which a Keeper keeps the kernel engine's sockets.
const KeptPrefix = "kernel/"

// keeping is what a Keeper has, and had, of the kernel engine. The zero value keeps nothing.
type keeping struct {
	keeper Keeper
	back   map[string]int // descriptors of a dispatcher before this one that nobody has taken yet, by name
}

func newKeeping(k Keeper, came []activation.Descriptor) keeping {
	back := map[string]int{}
	for _, d := range came {
		back[d.Name] = d.Number
	}
	return keeping{k, back}
}

// take returns the descriptor that came back under a name, which becomes the caller's.
func (k *keeping) take(name string) (fd int, ok bool) {
	fd, ok = k.back[name]
	delete(k.back, name)
	return fd, ok
}

// keep has a socket kept. Without a keeper, or room, its clients are lost with the last process that has it, as they would be then.
func (k *keeping) keep(name string, fd int) (kept bool) {
	return k.keeper != nil && k.keeper.Room() && k.keeper.Keep(name, fd) == nil
}

// forget ends that.
func (k *keeping) forget(name string) {
	if k.keeper != nil {
		k.keeper.Forget(name)
	}
}

// settle lets go of what came back and is for nothing here.
func (k *keeping) settle() {
	for name, fd := range k.back {
		unix.Close(fd)
		k.forget(name)
	}
	clear(k.back)
}
