package files

import (
	"net/http"

	"github.com/rouse-server/rouse/server/tree"
)

// Exists tells whether a GET for the decoded path would find a file or a folder, under the same options as New. What cannot be
// looked at for a fault of the disk or for want of descriptors is there: nothing may be served in its place.
func Exists(t *tree.Tree, o Options, path string) bool {
	wanted, ok := resolve(path)
	h := &handler{tree: t, Options: o}
	if !ok || h.withheld(wanted) {
		return false
	}
	found, err := h.find(wanted, false)
	found.close()
	return err == nil || tree.Status(err) >= http.StatusInternalServerError
}
