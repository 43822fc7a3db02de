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

// completed are the options that shells offer: for install, those of what is installed too.
func (s *subcommand) completed() []documented {
	all := s.documented()
	if len(s.words) == 0 {
		return all
	}
	_, run := runOptions()
	_, dispatch := dispatchOptions()
	_, inetd := inetdOptions()
	for _, d := range slices.Concat(documentedOptions(), run.documented(), dispatch.documented(), inetd.documented()) {
		if !slices.ContainsFunc(all, func(one documented) bool { return one.flag == d.flag || d.short != "" && one.short == d.short }) {
			all = append(all, d)
		}
	}
	return all
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
	cases, flags, _ := bashOptions(documentedOptions())
	branches, functions := "", ""
	for _, s := range subcommands() {
		branches += fmt.Sprintf("    %s) _rouse_%[1]s; return;;\n", s.name)
		functions += bashSubcommand(s)
	}
	return `# bash completion for rouse; made by "rouse generate"
# shellcheck shell=bash disable=SC2207
_rouse() {
  local word=${COMP_WORDS[COMP_CWORD]} before=${COMP_WORDS[COMP_CWORD-1]}
  COMPREPLY=()
  if [ "$word" = = ]; then word=; fi # bash parts words at = and : (COMP_WORDBREAKS)
  if [ "$before" = = ]; then before=${COMP_WORDS[COMP_CWORD-2]}; fi
  if [ "$COMP_CWORD" -gt 1 ]; then
    case ${COMP_WORDS[1]} in
` + branches + `    esac
  fi
  case $before in
    -w|--config-file) COMPREPLY=($(compgen -f -- "$word")); return;;
` + cases + `  esac
  case $word in
    -*) COMPREPLY=($(compgen -W '--config-file --check-config --help --version ` + flags + `' -- "$word"));;
    *)
      if [ "$COMP_CWORD" -eq 1 ]; then
        COMPREPLY=($(compgen -W '` + strings.Join(commandNames(), " ") + `' -- "$word") $(compgen -d -- "$word"))
      else
        COMPREPLY=($(compgen -d -- "$word"))
      fi;;
  esac
}
` + functions + `complete -o filenames -F _rouse rouse
`
}

// bashSubcommand is the function for a command with options of its own.
func bashSubcommand(s *subcommand) string {
	cases, flags, withValue := bashOptions(s.completed())
	if len(s.words) > 0 {
		return `_rouse_` + s.name + `() {
  local i
  for ((i = 2; i < COMP_CWORD; i++)); do
    if [ "${COMP_WORDS[i]}" != -- ]; then
      continue
    elif declare -F _command_offset >/dev/null; then
      _command_offset $((i + 1))
    elif [ $((i + 1)) -eq "$COMP_CWORD" ]; then
      COMPREPLY=($(compgen -c -- "$word"))
    else
      COMPREPLY=($(compgen -f -- "$word"))
    fi
    return
  done
  case $before in
` + cases + `  esac
  case $word in
    -*) COMPREPLY=($(compgen -W '-- --help ` + flags + `' -- "$word"));;
    *) COMPREPLY=($(compgen -W '` + strings.Join(s.words, " ") + `' -- "$word") $(compgen -d -- "$word"));;
  esac
}
`
	}
	if !s.program {
		return `_rouse_` + s.name + `() {
  case $before in
` + cases + `  esac
  case $word in
    -*) COMPREPLY=($(compgen -W '--help ` + flags + `' -- "$word"));;
  esac
}
`
	}
	return `# Options up to the program's name, then whatever completes that one.
_rouse_` + s.name + `() {
  local i program=
  for ((i = 2; i < COMP_CWORD; i++)); do
    case ${COMP_WORDS[i]} in
      --) program=$((i + 1)); break;;
      ` + withValue + `) ((i++)); if [ "${COMP_WORDS[i]}" = = ]; then ((i++)); fi;;
      -*) ;;
      *) program=$i; break;;
    esac
    while ((i + 1 < COMP_CWORD)) && [[ ${COMP_WORDS[i+1]} == [:=]* ]]; do ((i += 2)); done # the rest of a value
  done
  if [ -n "$program" ]; then
    if declare -F _command_offset >/dev/null; then
      _command_offset "$program"
    elif [ "$program" -eq "$COMP_CWORD" ]; then
      COMPREPLY=($(compgen -c -- "$word"))
    else
      COMPREPLY=($(compgen -f -- "$word"))
    fi
    return
  fi
  case $before in
` + cases + `  esac
  if ((i > COMP_CWORD)) || [[ ${COMP_WORDS[COMP_CWORD]} == [:=]* ]]; then return; fi # in a value
  case $word in
    -*) COMPREPLY=($(compgen -W '-- --help ` + flags + `' -- "$word"));;
    *) COMPREPLY=($(compgen -c -- "$word"));;
  esac
}
`
}

// bashOptions returns what completes the options' values, as branches of a case, all their names, and a pattern for those
// that need a value.
func bashOptions(all []documented) (cases, names, withValue string) {
	var b strings.Builder
	var flags, patterns []string
	for _, d := range all {
		flags = append(flags, "--"+d.flag)
		pattern := "--" + d.flag
		if d.short != "" {
			pattern = "-" + d.short + "|" + pattern
		}
		if !d.boolean {
			patterns = append(patterns, pattern)
		}
		switch {
		case d.boolean: // its value is attached by =, and seldom wanted
		case d.completes() == "files":
			fmt.Fprintf(&b, "    %s) COMPREPLY=($(compgen -f -- \"$word\")); return;;\n", pattern)
		case d.completes() == "folders":
			fmt.Fprintf(&b, "    %s) COMPREPLY=($(compgen -d -- \"$word\")); return;;\n", pattern)
		case len(d.words) > 0:
			fmt.Fprintf(&b, "    %s) COMPREPLY=($(compgen -W '%s' -- \"$word\")); return;;\n", pattern, strings.Join(d.words, " "))
		default:
			fmt.Fprintf(&b, "    %s) return;;\n", pattern)
		}
	}
	return b.String(), strings.Join(flags, " "), strings.Join(patterns, "|")
}

// zshCompletion is for a folder of $fpath, as _rouse. Where a program stands behind the options, those end with its name (-A),
// and what follows is completed as if it stood alone.
func zshCompletion() string {
	branches := ""
	for _, c := range subcommands() {
		branches += "elif [[ ${words[2]} == " + c.name + " ]] && (( CURRENT > 2 )); then\nshift words\n(( CURRENT-- ))\n"
		if len(c.words) > 0 {
			branches += "local end=${words[(I)--]}\nif (( end && CURRENT > end )); then\nshift $end words\n(( CURRENT -= end ))\n_normal\nelse\n" +
				"_arguments -s \\\n" + zshOptions(c.completed()) + "  '--help[show the options]' \\\n" +
				"  '1: :{_alternative \"commands:command:(" + strings.Join(c.words, " ") + ")\" \"folders:folder:_files -/\"}' \\\n  '*:folder:_files -/'\nfi\n"
		} else if c.program {
			branches += "_arguments -s -S -A '-*' \\\n" + zshOptions(c.documented()) + "  '--help[show the options]' \\\n  '(-)1:program:_command_names -e' \\\n  '*::argument:_normal'\n"
		} else {
			branches += "_arguments -s \\\n" + zshOptions(c.documented()) + "  '--help[show the options]'\n"
		}
	}
	return "#compdef rouse\n# made by \"rouse generate\"\n" + strings.TrimPrefix(branches, "el") +
		"else\n_arguments -s \\\n" +
		"  '1: :{_alternative \"commands:command:(" + strings.Join(commandNames(), " ") + ")\" \"folders:folder:_files -/\"}' \\\n  '*:folder:_files -/' \\\n" +
		"  '(-w --config-file)'{-w+,--config-file=}'[file of options]:file:_files -g \"*.toml\"' \\\n  '--check-config[read all options, and show what would hold]' \\\n" +
		zshOptions(documentedOptions()) +
		"  '--help[show all options]' \\\n  '--version[show the version]'\nfi\n"
}

// zshOptions writes the options as specifications of _arguments (zshcompsys(1)).
func zshOptions(all []documented) string {
	var b strings.Builder
	for _, d := range all {
		action := ""
		switch {
		case d.boolean && len(d.words) == 0:
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
	return b.String()
}

// zshQuoted escapes what ends a description or an action of _arguments (zshcompsys(1)), inside single quotes.
func zshQuoted(text string) string {
	return strings.NewReplacer("'", `'\''`, "[", `\[`, "]", `\]`, ":", `\:`).Replace(text)
}

// fishCompletion is for fish's folder vendor_completions.d.
func fishCompletion() string {
	var names, own []string
	for _, c := range subcommands() {
		names = append(names, c.name)
		seen := "-n '__fish_seen_subcommand_from " + c.name + "' "
		own = append(own, fishOptions(seen, c.completed()))
		if len(c.words) > 0 {
			own = append(own, "complete -c rouse "+seen+"-x -a '"+strings.Join(c.words, " ")+" (__fish_complete_directories)'\n",
				"complete -c rouse "+seen+"-n 'contains -- -- (commandline -opc)' -x -a '(__fish_complete_command)'\n")
		} else if c.program {
			own = append(own, "complete -c rouse "+seen+"-x -a '(__fish_complete_subcommand --fcs-skip=2)'\n")
		}
	}
	elsewhere := "-n 'not __fish_seen_subcommand_from " + strings.Join(names, " ") + "' "
	return "# fish completion for rouse; made by \"rouse generate\"\n" +
		fmt.Sprintf("complete -c rouse -n __fish_use_subcommand -a '%s'\n", strings.Join(commandNames(), " ")) +
		"complete -c rouse " + elsewhere + "-s w -l config-file -r -F -d 'file of options'\ncomplete -c rouse " + elsewhere + "-l check-config -d 'read all options, and show what would hold'\n" +
		fishOptions(elsewhere, documentedOptions()) +
		strings.Join(own, "")
}

func fishOptions(where string, all []documented) string {
	var b strings.Builder
	for _, d := range all {
		line := "complete -c rouse " + where + "-l " + d.flag
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
