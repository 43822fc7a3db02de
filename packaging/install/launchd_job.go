package install

import (
	"fmt"
	"io/fs"
	"reflect"
	"strings"

	"howett.net/plist"

	"github.com/rouse-server/rouse/packaging"
)

// job is a property list of launchd's (launchd.plist(5)).
type job struct {
	Label                 string
	ProgramArguments      []string
	UserName              string                 `plist:",omitempty"`
	EnvironmentVariables  map[string]string      `plist:",omitempty"`
	Sockets               map[string][]jobSocket `plist:",omitempty"`
	StartCalendarInterval *calendar              `plist:",omitempty"`
	RunAtLoad             bool                   `plist:",omitempty"`
	KeepAlive             *keepAlive             `plist:",omitempty"`
	ProcessType           string
	ExitTimeOut           int    `plist:",omitempty"` // seconds
	StandardErrorPath     string // without it, what the job says is lost
}

// jobSocket is one dictionary under Sockets; the descriptors of all dictionaries of a name reach the program together.
type jobSocket struct {
	SockType        string `plist:",omitempty"`
	SockNodeName    string `plist:",omitempty"` // without it, launchd opens one socket of each family
	SockServiceName string `plist:",omitempty"` // a port
	SockPathName    string `plist:",omitempty"`
	SockPathMode    int    `plist:",omitempty"`
}

// calendar is when a job starts; what is not said is any. A Mac that sleeps then starts it when it wakes up.
type calendar struct{ Weekday, Hour, Minute int }

// keepAlive says when a job comes back after its end.
type keepAlive struct{ SuccessfulExit bool }

// encode returns the text of the job's file. What XML has no way to write, such as a zero byte, is an error.
func (j job) encode(file string) ([]byte, error) {
	text, err := plist.MarshalIndent(j, plist.XMLFormat, "\t")
	if err != nil {
		return nil, fmt.Errorf("write %s: %w", file, err)
	}
	var again job
	if _, err := plist.Unmarshal(text, &again); err != nil {
		return nil, fmt.Errorf("read %s back: %w", file, err)
	}
	if !reflect.DeepEqual(j, again) {
		return nil, Problem{Text: fmt.Sprintf("%s cannot hold every character of its options: leave control characters out", file), Usage: true}
	}
	text = append(text, '\n')
	return text, CheckPropertyList(file, text)
}

// shippedLabel is the label of the property lists that packages ship.
func shippedLabel() string { return strings.TrimSuffix(label, ".") }

// shippedJob is the property list that packages ship, for one user or for the Mac.
func shippedJob(user bool) (job, error) {
	folder := "daemon"
	if user {
		folder = "agent"
	}
	var j job
	text, err := fs.ReadFile(packaging.Files(), "launchd/"+folder+"/"+shippedLabel()+".plist")
	if err == nil {
		_, err = plist.Unmarshal(text, &j)
	}
	return j, err
}
