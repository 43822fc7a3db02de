package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"github.com/rouse-server/rouse/activation/route/spelling"
)

// generated is a file that `rouse generate` writes: the option that asks for it, its path below the folder, its text.
type generated struct{ what, path, text string }

// generatedFiles lists what is made from the table of options. packaging ships the same files; a test holds them together.
func generatedFiles() []generated {
	_, run := runOptions()
	_, dispatch := dispatchOptions()
	_, inetd := inetdOptions()
	return []generated{
		{"completions", "completions/rouse.bash", bashCompletion()},
		{"completions", "completions/_rouse", zshCompletion()},
		{"completions", "completions/rouse.fish", fishCompletion()},
		{"man-pages", "man/rouse.1", commandManual()},
		{"man-pages", "man/rouse-run.1", subcommandManual(runPage, run)},
		{"man-pages", "man/rouse-dispatch.1", subcommandManual(dispatchPage, dispatch)},
		{"man-pages", "man/rouse-inetd.1", subcommandManual(inetdPage, inetd)},
		{"man-pages", "man/rouse-install.1", installManual()},
		{"man-pages", "man/rouse.toml.5", fileManual()},
		{"environment", "systemd/rouse.env", environmentFile()},
	}
}

// generate is `rouse generate [--completions] [--man-pages] [--environment] DIR`.
func generate(c console) error {
	kinds := []string{"completions", "man-pages", "environment"}
	var wanted, dirs []string
	for _, arg := range c.args {
		name, isFlag := strings.CutPrefix(arg, "--")
		switch {
		case arg == "-h" || arg == "--help":
			return help(c)
		case isFlag && slices.Contains(kinds, name):
			wanted = append(wanted, name)
		case strings.HasPrefix(arg, "-"):
			return usage("there is no option %s%s: rouse generate takes --completions, --man-pages and --environment", arg, spelling.Suggestion(arg, []string{"--completions", "--man-pages", "--environment"}))
		default:
			dirs = append(dirs, arg)
		}
	}
	if len(dirs) != 1 || dirs[0] == "" {
		return usage("rouse generate needs one folder to write to: rouse generate [--completions] [--man-pages] [--environment] DIR")
	}
	if len(wanted) == 0 {
		wanted = kinds[:2] // as static-web-server does
	}
	for _, file := range generatedFiles() {
		if !slices.Contains(wanted, file.what) {
			continue
		}
		path := filepath.Join(dirs[0], filepath.FromSlash(file.path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := renameio.WriteFile(path, []byte(file.text), 0o644); err != nil {
			return err
		}
	}
	return nil
}

// packaged is what the packages' environment file says of an option beyond its default.
type packaged struct{ value, remark string }

func packagedOptions() map[string]packaged {
	return map[string]packaged{
		"root":            {"/var/www/html", "rouse.service says what a site in /home or not readable by all needs."},
		"https-redirect":  {"true", "Where rouse-http.socket is active beside rouse.socket, all it does is send to HTTPS. Where it is alone, this does nothing."},
		"log-level":       {"info", ""},
		"idle-exit":       {"", "rouse.service sets 5m."},
		"grace-period":    {"", "Together with SERVER_DRAIN_TIMEOUT less than TimeoutStopSec= of rouse.service (20 s)."},
		"listen":          {"", "rouse.service sets systemd:, so addresses and ports stand in rouse.socket and rouse-http.socket, and SERVER_HOST, SERVER_PORT and SERVER_LISTEN_FD have no use here."},
		"tls":             {"", "Without this line, that is so when there is a certificate."},
		"log-file":        {"", "For rouse.service, see UMask= there."},
		"access-log":      {"", "For rouse.service, see UMask= there."},
		"basic-auth-file": {"", "For rouse.service: LoadCredential=htpasswd:/etc/rouse/htpasswd there instead, so that only root needs to read it."},
		"tls-cert":        {"", "rouse.service passes /etc/rouse/tls.crt and /etc/rouse/tls.key, so that only root needs to read them: change the paths there rather than here."},
	}
}

// environmentFile is the commented file of variables that rouse.service reads (EnvironmentFile= of systemd.exec(5)).
func environmentFile() string {
	var b strings.Builder
	b.WriteString(fill("Options of rouse.service, read at its next start: systemctl restart rouse.service. Lines that begin with #SERVER_ show the value that holds without them; the file of options (SERVER_CONFIG_FILE, rouse.toml(5)) gives way to what is set here. A comment needs a line of its own, and no value needs quotes.", "# ", 118))
	b.WriteString("\n# The file of options, if there is one: /etc/rouse/rouse.toml. systemctl reload rouse.service reads it again.\n#SERVER_CONFIG_FILE=\n")
	section := ""
	for _, d := range documentedOptions() {
		if d.section != section {
			section = d.section
			b.WriteString("\n# --- " + section + " ---\n")
		}
		extra := packagedOptions()[d.flag]
		text := strings.ToUpper(d.help[:1]) + d.help[1:] + "."
		b.WriteString("\n" + fill(text+" "+extra.remark, "# ", 118))
		if extra.value != "" {
			b.WriteString(d.variable + "=" + extra.value + "\n")
			continue
		}
		b.WriteString("#" + d.variable + "=" + d.shown + "\n")
	}
	return b.String()
}
