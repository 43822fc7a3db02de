package faults

import "testing"

type row struct{ Kind, What, Tried, Peer, Rouse string }

func tell(t *testing.T, r row) { t.Logf("%+v", r) }
