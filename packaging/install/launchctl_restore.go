package install

import (
	"context"
	"slices"
)

// Standing implements [Manager]. A job is active when launchd has it: then its sockets are open.
func (l *launchd) Standing(ctx context.Context, u Units) (map[string]Standing, error) {
	all := make(map[string]Standing)
	for _, file := range jobs(u) {
		_, loaded, err := l.print(ctx, l.target(file))
		if err != nil {
			return nil, err
		}
		disabled, err := l.disabled(ctx, file)
		if err != nil {
			return nil, err
		}
		all[file] = Standing{Enabled: !disabled, Active: loaded}
	}
	return all, nil
}

// Restore implements [Manager].
func (l *launchd) Restore(ctx context.Context, u Units, before map[string]Standing, changed []string) error {
	for _, file := range jobs(u) {
		var err error
		if before[file].Active {
			err = l.load(ctx, file, slices.Contains(changed, file))
		} else {
			err = l.unload(ctx, file)
		}
		if known, ok := before[file]; err == nil && ok && !known.Enabled {
			_, err = l.call(ctx, "disable", l.target(file))
		}
		if err != nil {
			return err
		}
	}
	return nil
}
