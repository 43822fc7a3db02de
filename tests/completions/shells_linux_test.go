package completions

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// shell returns the path of a shell.
func shell(t *testing.T, name string) string {
	t.Helper()
	path, err := exec.LookPath(name)
	if err != nil {
		t.Skip("no " + name)
	}
	return path
}

// bash takes words apart at = and : too, which only its own line editor does.
func TestBash(t *testing.T) {
	t.Parallel()
	path, dir := shell(t, "bash"), home(t)
	write(t, filepath.Join(dir, "rc"), `. completions/rouse.bash
dump() { printf '%s\n' "$READLINE_LINE" >line; }
bind -x '"\C-t": dump'
bind '"\C-x\t": insert-completions'
bind 'set bell-style none'
PS1='`+ready+`'
`)
	answers(t, startTerminal(t, dir, path, "--noprofile", "--rcfile", "rc", "-i").ask)
}

func TestZsh(t *testing.T) {
	t.Parallel()
	path, dir := shell(t, "zsh"), home(t)
	write(t, filepath.Join(dir, ".zshrc"), `fpath=($PWD/completions $fpath)
autoload -Uz compinit
compinit -u -d $PWD/compdump
dump() { print -r -- "$BUFFER" >line }
zle -N dump
zle -C all-matches complete-word _generic
zstyle ':completion:all-matches::::' completer _all_matches _complete
zstyle ':completion:all-matches:*' insert true
bindkey -e
bindkey '^T' dump
bindkey '^X^I' all-matches
unsetopt beep prompt_cr prompt_sp
PS1='`+ready+`'
`)
	answers(t, startTerminal(t, dir, path, "-d", "-i").ask)
}

// fish answers without a terminal (complete(1)). It finds the completions in their folder by itself.
func TestFish(t *testing.T) {
	t.Parallel()
	path, dir := shell(t, "fish"), home(t)
	own := filepath.Join(dir, "fish", "completions")
	if err := os.MkdirAll(own, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(filepath.Join(dir, "completions", "rouse.fish"), filepath.Join(own, "rouse.fish")); err != nil {
		t.Fatal(err)
	}
	answers(t, func(typed string) []string {
		ctx, cancel := context.WithTimeout(t.Context(), limit)
		defer cancel()
		command := exec.CommandContext(ctx, path, "-c", `complete -C $argv[1]`, typed)
		command.Dir, command.Env = dir, environment(dir)
		out, err := command.CombinedOutput()
		if err != nil {
			t.Fatalf("%q: %v: %s", typed, err, out)
		}
		var candidates []string
		for line := range strings.Lines(string(out)) {
			candidate, _, _ := strings.Cut(strings.TrimSpace(line), "\t") // a description follows
			candidates = append(candidates, candidate)
		}
		if len(candidates) == 0 {
			candidates = []string{typed[strings.LastIndex(typed, " ")+1:]}
		}
		return candidates
	})
}
