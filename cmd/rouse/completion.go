package main

import (
	"fmt"
	"slices"
	"strings"
)

// commandNames lists the commands as completions and manual show them.
func commandNames() []string {
	var names []string
	for name := range commands() {
		names = append(names, name)
	}
	slices.Sort(names)
	return names
}

// completes says what a shell offers for an option's value: files, folders or words.
func (d documented) completes() string {
	switch d.arg {
	case "FILE", "PATH":
		return "files"
	case "DIR":
		return "folders"
	}
	return ""
}

// bashCompletion is for bash-completion's folder completions, or to be sourced.
func bashCompletion() string {
	var flags []string
	var cases strings.Builder
	for _, d := range documentedOptions() {
		flags = append(flags, "--"+d.flag)
		pattern := "--" + d.flag
		if d.short != "" {
			pattern = "-" + d.short + "|" + pattern
		}
		switch {
		case d.boolean: // its value is attached by =, and seldom wanted
		case d.completes() == "files":
			fmt.Fprintf(&cases, "    %s) COMPREPLY=($(compgen -f -- \"$word\")); return;;\n", pattern)
		case d.completes() == "folders":
			fmt.Fprintf(&cases, "    %s) COMPREPLY=($(compgen -d -- \"$word\")); return;;\n", pattern)
		case len(d.words) > 0:
			fmt.Fprintf(&cases, "    %s) COMPREPLY=($(compgen -W '%s' -- \"$word\")); return;;\n", pattern, strings.Join(d.words, " "))
		default:
			fmt.Fprintf(&cases, "    %s) return;;\n", pattern)
		}
	}
	return `# bash completion for rouse; made by "rouse generate"
# shellcheck shell=bash disable=SC2207
_rouse() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  case $before in
    -w|--config-file) COMPREPLY=($(compgen -f -- "$word")); return;;
` + cases.String() + `  esac
  case $word in
    -*) COMPREPLY=($(compgen -W '--config-file --check-config --help --version ` + strings.Join(flags, " ") + `' -- "$word"));;
    *)
      if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W '` + strings.Join(commandNames(), " ") + `' -- "$word") $(compgen -d -- "$word"))
      else
        COMPREPLY=($(compgen -d -- "$word"))
      fi;;
  esac
}
complete -o filenames -F _rouse rouse
`
}

// zshCompletion is for a folder of $fpath, as _rouse.
func zshCompletion() string {
	var b strings.Builder
	b.WriteString("#compdef rouse\n# made by \"rouse generate\"\n_arguments -s \\\n")
	b.WriteString("  '1: :{_alternative \"commands:command:(" + strings.Join(commandNames(), " ") + ")\" \"folders:folder:_files -/\"}' \\\n  '*:folder:_files -/' \\\n")
	b.WriteString("  '(-w --config-file)'{-w+,--config-file=}'[file of options]:file:_files -g \"*.toml\"' \\\n  '--check-config[read all options, and show what would hold]' \\\n")
	for _, d := range documentedOptions() {
		action := ""
		switch {
		case d.boolean:
			action = "::value:(" + strings.Join(d.words, " ") + ")"
		case d.completes() == "files":
			action = ":file:_files"
		case d.completes() == "folders":
			action = ":folder:_files -/"
		case len(d.words) > 0:
			action = ":value:(" + strings.Join(d.words, " ") + ")"
		default:
			action = ":" + zshQuoted(d.arg) + ":"
		}
		long, short := "--"+d.flag+"=", "-"+d.short+"+"
		if d.boolean {
			long, short = "--"+d.flag+"=-", "-"+d.short
		}
		description := "[" + zshQuoted(d.help) + "]" + action + "' \\\n"
		if d.short == "" {
			fmt.Fprintf(&b, "  '%s%s", long, description)
			continue
		}
		fmt.Fprintf(&b, "  '(-%s --%s)'{%s,%s}'%s", d.short, d.flag, short, long, description)
	}
	b.WriteString("  '--help[show all options]' \\\n  '--version[show the version]'\n")
	return b.String()
}

// zshQuoted escapes what ends a description or an action of _arguments (zshcompsys(1)), inside single quotes.
func zshQuoted(text string) string {
	return strings.NewReplacer("'", `'\''`, "[", `\[`, "]", `\]`, ":", `\:`).Replace(text)
}

// fishCompletion is for fish's folder vendor_completions.d.
func fishCompletion() string {
	var b strings.Builder
	b.WriteString("# fish completion for rouse; made by \"rouse generate\"\n")
	fmt.Fprintf(&b, "complete -c rouse -n __fish_use_subcommand -a '%s'\n", strings.Join(commandNames(), " "))
	b.WriteString("complete -c rouse -s w -l config-file -r -F -d 'file of options'\ncomplete -c rouse -l check-config -d 'read all options, and show what would hold'\n")
	for _, d := range documentedOptions() {
		line := "complete -c rouse -l " + d.flag
		if d.short != "" {
			line += " -s " + d.short
		}
		switch {
		case d.boolean:
		case d.completes() == "files":
			line += " -r -F"
		case d.completes() == "folders":
			line += " -x -a '(__fish_complete_directories)'"
		case len(d.words) > 0:
			line += " -x -a '" + strings.Join(d.words, " ") + "'"
		default:
			line += " -x"
		}
		b.WriteString(line + " -d '" + strings.ReplaceAll(d.help, "'", `\'`) + "'\n")
	}
	return b.String()
}
