package install

import (
	"errors"
	"fmt"
	"path"
)

// CheckPropertyList tells what is wrong with a property list of launchd's, in the file of that path. launchd ignores keys
// that it does not know, says little of values that it cannot use, and there is no checker for its files: so a key has to be
// one of launchd.plist(5) that Rouse has a use for, and its value what that page wants.
func CheckPropertyList(file string, text []byte) error {
	value, err := parsePropertyList(string(text))
	if err != nil {
		return fmt.Errorf("%s is not a property list: %w", file, err)
	}
	if err := checkJob(value, path.Base(file)); err != nil {
		return fmt.Errorf("%s is not what launchd wants: %w", file, err)
	}
	return nil
}

func checkJob(value any, file string) error {
	if err := dictOf(jobKeys())(value); err != nil {
		return err
	}
	job := value.(map[string]any)
	for _, key := range []string{"Label", "ProgramArguments"} {
		if _, ok := job[key]; !ok {
			return fmt.Errorf("%s is missing", key)
		}
	}
	// launchctl finds a job by its label, and people find its file by that.
	if label := job["Label"].(string); label+".plist" != file {
		return fmt.Errorf("Label %q is not the file's name %q", label, file)
	}
	// launchd searches no PATH.
	if program := job["ProgramArguments"].([]any)[0].(string); !path.IsAbs(program) {
		return fmt.Errorf("ProgramArguments[0] %q is not an absolute path", program)
	}
	return checkDemand(job)
}

// checkDemand holds a job with sockets to be started by them alone.
func checkDemand(job map[string]any) error {
	if _, ok := job["Sockets"]; !ok {
		return nil
	}
	if job["RunAtLoad"] == true {
		return errors.New("RunAtLoad starts it without a client: its sockets do that")
	}
	for _, key := range []string{"KeepAlive", "StartCalendarInterval"} {
		if _, ok := job[key]; ok {
			return fmt.Errorf("%s starts it without a client: its sockets do that", key)
		}
	}
	return nil
}

// jobKeys are the keys of a job.
func jobKeys() map[string]check {
	return map[string]check{
		"Label":                  isString,
		"ProgramArguments":       eachOf(isText),
		"EnvironmentVariables":   dictOf(anyKey(isText)),
		"UserName":               isString, // launchd ignores it in an agent
		"Sockets":                dictOf(anyKey(isSockets)),
		"StartCalendarInterval":  dictOf(calendarKeys()),
		"RunAtLoad":              isBool,
		"KeepAlive":              isKeepAlive,
		"ProcessType":            oneOf("Background", "Standard", "Adaptive", "Interactive"),
		"LimitLoadToSessionType": isSessions,
		"ExitTimeOut":            between(0, 1<<31-1), // seconds; 0: no limit
		"ThrottleInterval":       between(0, 1<<31-1), // seconds
		"StandardOutPath":        isPath,
		"StandardErrorPath":      isPath,
		"WorkingDirectory":       isPath,
	}
}

// socketKeys are the keys of one dictionary under Sockets.
func socketKeys() map[string]check {
	return map[string]check{
		"SockType":        oneOf("stream", "dgram"),
		"SockProtocol":    oneOf("TCP", "UDP"),
		"SockFamily":      oneOf("IPv4", "IPv6"),
		"SockNodeName":    isString,
		"SockServiceName": isService,
		"SockPathName":    isUnixPath,
		"SockPathMode":    isMode,
	}
}

func calendarKeys() map[string]check {
	return map[string]check{
		"Minute": between(0, 59), "Hour": between(0, 23), "Day": between(1, 31), "Weekday": between(0, 7), "Month": between(1, 12),
	}
}

// isKeepAlive accepts true, false, and when the job comes back.
func isKeepAlive(value any) error {
	if isBool(value) == nil {
		return nil
	}
	return dictOf(map[string]check{"SuccessfulExit": isBool, "Crashed": isBool})(value)
}

func isSessions(value any) error {
	session := oneOf("Aqua", "Background", "LoginWindow", "StandardIO", "System")
	if session(value) == nil {
		return nil
	}
	return eachOf(session)(value)
}
