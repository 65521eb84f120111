package main

import (
	"strings"
	"time"

	"github.com/spf13/cobra"

	"tasks/internal/client"
	"tasks/internal/task"
)

// filterFlags are the flags that select tasks.
type filterFlags struct{ errorType, label, createdAfter, createdBefore string }

func (f *filterFlags) add(cmd *cobra.Command) {
	flags := cmd.Flags()
	flags.StringVar(&f.errorType, "error-type", "", "only tasks with this type of error, such as Timeout")
	flags.StringVar(&f.label, "label", "", "only tasks with this label, as `NAME=VALUE`")
	flags.StringVar(&f.createdAfter, "created-after", "", "only tasks created then or later: a `TIME` of RFC 3339, or how long ago, such as 2h")
	flags.StringVar(&f.createdBefore, "created-before", "", "only tasks created before that `TIME`")
}

func (f *filterFlags) filter(now time.Time) (selected client.Filter, err error) {
	selected.ErrorType = f.errorType
	if f.label != "" {
		name, value, err := label(f.label)
		if err != nil {
			return selected, err
		}
		selected.Label = name + ":" + value
	}
	if selected.CreatedAfter, err = timeOf("--created-after", f.createdAfter, now); err != nil {
		return selected, err
	}
	selected.CreatedBefore, err = timeOf("--created-before", f.createdBefore, now)
	return selected, err
}

// label reads NAME=VALUE.
func label(s string) (name, value string, err error) {
	name, value, ok := strings.Cut(s, "=")
	if !ok || !task.ValidLabelKey(name) || len(value) > task.MaxLabelValue {
		return "", "", usagef("--label %q: want NAME=VALUE, such as team=billing: a name of 1 to %d letters, digits, dots, hyphens and underscores, and a value of at most %d bytes", s, task.MaxLabelKey, task.MaxLabelValue)
	}
	return name, value, nil
}

// timeOf reads a time, or how long ago it was; none, if s is "".
func timeOf(flag, s string, now time.Time) (time.Time, error) {
	if s == "" {
		return time.Time{}, nil
	}
	if ago, err := time.ParseDuration(s); err == nil && ago >= 0 {
		return now.Add(-ago), nil
	}
	t, err := time.Parse(time.RFC3339, s)
	if err != nil {
		return time.Time{}, usagef("%s %q: want a time such as 2026-01-31T12:00:00Z, or how long ago, such as 2h", flag, s)
	}
	return t, nil
}
