package files

import (
	"errors"
	"io/fs"
	"os"
)

// found is what a target stands for: an open file, or else another URL, or else a folder that is to be listed.
type found struct {
	file     *os.File
	info     os.FileInfo
	name     string // the file's, in the tree
	index    string // the last part of name, when it was found as the index file of a folder
	location string
}

func (f found) close() {
	if f.file != nil {
		f.file.Close()
	}
}

// find opens the file that a target stands for. The errors are those of tree.Open.
func (h *handler) find(t target, markdown bool) (found, error) {
	if markdown {
		if f, err := h.findMarkdown(t); !errors.Is(err, fs.ErrNotExist) {
			return f, err
		}
	}
	if t.directory {
		return h.findIndex(t.name)
	}
	file, info, err := h.tree.Open(t.name)
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return h.openFile(t.name + page)
	case err != nil:
		return found{}, err
	case !info.IsDir():
		f := found{file: file, info: info, name: t.name}
		if h.CleanURLs {
			f.location = h.cleanURL(t.name)
		}
		return f, nil
	}
	file.Close()
	if h.SlashRedirect {
		return found{location: location(t.name, true)}, nil
	}
	return h.findIndex(t.name)
}

// findIndex opens the first of the index files that there is in a folder. Without one, the folder is to be listed.
func (h *handler) findIndex(folder string) (found, error) {
	f, err := h.findIndexFile(folder)
	if !errors.Is(err, fs.ErrNotExist) || h.List == nil {
		return f, err
	}
	file, info, err := h.tree.Open(folder)
	if err != nil {
		return found{}, err
	}
	file.Close()
	if !info.IsDir() { // a file has nothing below it
		return found{}, fs.ErrNotExist
	}
	return found{}, nil
}

func (h *handler) findIndexFile(folder string) (found, error) {
	for _, index := range h.IndexFiles {
		f, err := h.openFile(below(folder, index))
		if err == nil {
			f.index = index
			return f, nil
		}
		if !errors.Is(err, fs.ErrNotExist) {
			return found{}, err
		}
	}
	return found{}, fs.ErrNotExist
}

// openFile opens a file; a folder of that name is none.
func (h *handler) openFile(name string) (found, error) {
	file, info, err := h.tree.Open(name)
	if err != nil {
		return found{}, err
	}
	if info.IsDir() {
		file.Close()
		return found{}, fs.ErrNotExist
	}
	return found{file: file, info: info, name: name}, nil
}

// below is the name of what is in a folder.
func below(folder, name string) string {
	if folder == "." {
		return name
	}
	return folder + "/" + name
}
