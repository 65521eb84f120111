// Package tasks holds the files that both hosts read: the template and the
// state machine. They are part of the binary, so that it runs alone.
package tasks

import "embed"

// Files are template.yaml and the state machine that it names.
//
//go:embed template.yaml statemachine
var Files embed.FS
