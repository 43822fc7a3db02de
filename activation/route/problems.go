package route

import (
	"errors"
	"fmt"
)

// problems gathers what is wrong with a file, so that all of it can be mended at once.
type problems struct {
	list []error
	more int
}

// mostProblems is how many are shown; a file of the wrong kind would fill the screen.
const mostProblems = 20

// add notes one problem: the place, the word of the file that is wrong, why, and after a semicolon what to do.
func (p *problems) add(at Position, token, format string, arguments ...any) {
	if len(p.list) == mostProblems {
		p.more++
		return
	}
	text := fmt.Sprintf(format, arguments...)
	if token != "" {
		text = token + ": " + text
	}
	if at.File == "" {
		p.list = append(p.list, errors.New(text))
		return
	}
	p.list = append(p.list, fmt.Errorf("%s: %s", at, text))
}

// err is all of them in one error, one line each, or nil.
func (p *problems) err() error {
	if p.more == 0 {
		return errors.Join(p.list...)
	}
	return errors.Join(append(p.list, fmt.Errorf("… and %d more", p.more))...)
}
