package platform

// NoNewPrivileges sees to it that nothing which this process executes gains rights: no set-user-ID bit, no capabilities of a
// file, and none for being root (PR_SET_NO_NEW_PRIVS(2const)). It holds for all threads and for good.
func NoNewPrivileges() error { return noNewPrivileges() }

// HideMemory keeps other processes of the same user, and core files, away from what this process has in memory
// (PR_SET_DUMPABLE(2const)). Root may look all the same.
func HideMemory() error { return hideMemory() }

// GiveUpCapabilities gives up what makes root more than other users, on all threads and for good; it tells whether there was
// anything to give up. After NoNewPrivileges the bounding set, which would need one call for each of its capabilities, bounds
// nothing any more: no program gets what this process does not have (capabilities(7), execve(2)).
func GiveUpCapabilities() (had bool, err error) { return giveUpCapabilities() }
