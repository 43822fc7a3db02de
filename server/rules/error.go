package rules

import "fmt"

// Error says which entry of a configuration is wrong.
type Error struct {
	List  string // "headers", "redirects", "rewrites" or "early-hints"
	Index int    // of the entry, from 0
	Key   string // "source", "destination", …
	Err   error  // what is wrong with its value, and what is accepted
}

func (e *Error) Error() string {
	return fmt.Sprintf("%s of entry %d of [[advanced.%s]]: %v", e.Key, e.Index+1, e.List, e.Err)
}

func (e *Error) Unwrap() error { return e.Err }

// compiledPair compiles source and destination of an entry.
func compiledPair(list string, index int, source, to string) (*Glob, template, error) {
	glob, err := compiled(list, index, source, WithinSegment)
	if err != nil {
		return nil, template{}, err
	}
	t, err := destination(list, index, to, glob.captures)
	return glob, t, err
}

// compiled compiles the source of an entry.
func compiled(list string, index int, source string, stars Stars) (*Glob, error) {
	glob, err := Compile(source, stars)
	if err != nil {
		return nil, &Error{list, index, "source", err}
	}
	return glob, nil
}

// destination reads the destination of an entry: $0 is the path and $1 to $9 are the captures; those that the source does
// not have stay as they are.
func destination(list string, index int, text string, captures int) (template, error) {
	t, err := newTemplate(text, func(text string) (from, to, capture int) {
		for i := 0; i+1 < len(text); i++ {
			if n := int(text[i+1]) - '0'; text[i] == '$' && 0 <= n && n <= min(captures, 9) {
				return i, i + 2, n
			}
		}
		return -1, 0, 0
	})
	if err != nil {
		return t, &Error{list, index, "destination", err}
	}
	return t, nil
}
