package listing

import "github.com/rouse-server/rouse/server/accept"

// prefersJSON tells whether a client likes application/json better than text/html. fields are the lines of its Accept field.
func prefersJSON(fields []string) bool {
	return accept.Media(fields, "application/json").Weight > accept.Media(fields, "text/html").Weight
}
