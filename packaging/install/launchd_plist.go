package install

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
)

// launchdPlan returns the property lists of a site, and what is told of them. It reads nothing of the machine.
func launchdPlan(site Site, sys System) (Plan, error) {
	service, err := siteJob(site, sys)
	if err != nil {
		return Plan{}, err
	}
	paths := sys.Paths(site.Name)
	plan := Plan{
		Units:   Units{Service: paths.Job, Boot: service.RunAtLoad},
		Log:     "tail -f " + shellWord(launchdLog(site.Name, sys)),
		Undo:    "rouse " + uninstalling(site.Name, sys),
		Notices: launchdNotices(site, sys),
	}
	if !sys.User {
		plan.Undo = "sudo " + plan.Undo
	}
	jobs := map[string]job{paths.Job: service}
	if site.Certificate != nil {
		jobs[paths.RenewJob] = renewJob(site, sys, service)
		plan.Units.Timers = []string{paths.RenewJob}
	}
	for _, file := range slices.Sorted(maps.Keys(jobs)) {
		text, err := jobs[file].encode(file)
		if err != nil {
			return Plan{}, err
		}
		plan.Files = append(plan.Files, File{Path: file, Mode: 0o644, Text: text})
	}
	return plan, nil
}

// launchdLog is the file that a site's job writes to: launchd has no journal.
func launchdLog(name string, sys System) string {
	if sys.User {
		return path.Join(sys.Home, "Library/Logs", label+name+".log")
	}
	return path.Join("/var/log", label+name+".log")
}

// siteJob is the job that serves.
func siteJob(site Site, sys System) (job, error) {
	shipped, err := shippedJob(sys.User)
	if err != nil {
		return job{}, err
	}
	sockets, err := jobSockets(site.Sockets)
	if err != nil {
		return job{}, err
	}
	j := job{
		Label:                label + site.Name,
		ProgramArguments:     append([]string{site.Program, site.Command}, site.Words...),
		EnvironmentVariables: jobVariables(site, sys, shipped),
		Sockets:              sockets,
		ProcessType:          shipped.ProcessType,
		ExitTimeOut:          max(shipped.ExitTimeOut, int(site.stopLimit().Seconds())),
		StandardErrorPath:    launchdLog(site.Name, sys),
	}
	if !sys.User {
		j.UserName = cmp.Or(site.Account, shipped.UserName)
	}
	if len(sockets) == 0 { // it binds its own, so it has to be there from the start, and again when it failed
		j.RunAtLoad, j.KeepAlive = true, &keepAlive{SuccessfulExit: false}
	}
	return j, nil
}

// renewJob is the job that renews the certificate, weekly.
func renewJob(site Site, sys System, service job) job {
	j := job{
		Label:                 service.Label + ".renew",
		ProgramArguments:      []string{site.Program, "renew", site.Name},
		StartCalendarInterval: &calendar{Weekday: 1, Hour: 4, Minute: 30},
		ProcessType:           "Background",
		StandardErrorPath:     service.StandardErrorPath,
	}
	if sys.User {
		j.ProgramArguments = append(j.ProgramArguments, "--user")
	}
	return j
}

// jobVariables are the options as the job's environment, with those of the shipped property list where a site does not say
// them. launchd hands over no credentials (LoadCredential= of systemd), so their paths are options too.
func jobVariables(site Site, sys System, shipped job) map[string]string {
	variables := map[string]string{}
	if site.Command == "serve" {
		maps.Copy(variables, shipped.EnvironmentVariables)
		for _, name := range []string{"SERVER_TLS_CERT", "SERVER_TLS_KEY"} {
			delete(variables, name)
		}
	}
	if site.Certificate != nil {
		paths := sys.Paths(site.Name)
		variables["SERVER_TLS_CERT"], variables["SERVER_TLS_KEY"] = paths.Chain, paths.Key
	}
	for _, c := range site.Credentials {
		if name := credentialVariable(c.ID); name != "" {
			variables[name] = c.Path
		}
	}
	if variables["SERVER_TLS_CERT"] == "" {
		delete(variables, "SERVER_HTTPS_REDIRECT") // there is nowhere to go
	}
	for _, v := range site.Variables {
		variables[v.Name] = v.Value
	}
	nameSockets(site, variables)
	if len(variables) == 0 {
		return nil
	}
	return variables
}

// credentialVariable is the option that says what systemd passes as the credential of that name.
func credentialVariable(id string) string {
	switch id {
	case "tls.crt":
		return "SERVER_TLS_CERT"
	case "tls.key":
		return "SERVER_TLS_KEY"
	case "htpasswd":
		return "SERVER_BASIC_AUTH_FILE"
	}
	return ""
}

// launchdNotices are what people should know of a site on a Mac.
func launchdNotices(site Site, sys System) []string {
	var notices []string
	for _, access := range site.Reads {
		for _, folder := range []string{"Desktop", "Documents", "Downloads"} {
			if home := ownHome(access.Path, sys); home != "" && within(access.Path, path.Join(home, folder)) {
				notices = append(notices, fmt.Sprintf("%s %s: macOS keeps services out of ~/%s: move it elsewhere, or allow %s Full Disk Access in System Settings, Privacy & Security",
					access.Option, access.Path, folder, site.Program))
			}
		}
	}
	if !site.Egress {
		notices = append(notices, "macOS cannot keep a service from the network, so --offline has no effect here")
	}
	if sys.User {
		notices = append(notices, "it listens while you are logged in; to have it from the Mac's start on: sudo rouse install, without --user")
	}
	return notices
}

// ownHome is the home that a path is in, of whatever user.
func ownHome(name string, sys System) string {
	if sys.Home != "" && within(name, sys.Home) {
		return sys.Home
	}
	if user, below, ok := strings.Cut(strings.TrimPrefix(name, "/Users/"), "/"); ok && below != "" && strings.HasPrefix(name, "/Users/") {
		return "/Users/" + user
	}
	return ""
}

// shellWord quotes a word for people's shells.
func shellWord(text string) string {
	if text != "" && !strings.ContainsFunc(text, func(r rune) bool {
		return !strings.ContainsRune("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789/._-+:=@%", r)
	}) {
		return text
	}
	return "'" + strings.ReplaceAll(text, "'", `'\''`) + "'"
}
