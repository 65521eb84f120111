package host

import (
	"os"
	"runtime/debug"
)

// ballast is counted as live and never touched, so that it takes no memory. It gives
// the heap a least size between collections, which Go has no setting for
// (https://go.dev/issue/23044).
var ballast []byte

// TuneGC has garbage collected as suits a host that has its process for itself,
// unless GOGC says how. Little of what a task allocates outlives it, so a small heap
// is collected at some 100 MB, which takes a third off a task's time; a large one
// grows to three times what lives.
func TuneGC() {
	if os.Getenv("GOGC") != "" {
		return
	}
	ballast = make([]byte, 32<<20)
	debug.SetGCPercent(200)
}
