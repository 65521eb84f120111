package taskdb

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/gofrs/flock"
)

// guardEvery is how often it is looked whether the files are still there, while
// something is written.
const guardEvery = time.Second

// guard keeps other hosts away from the file, and notices when the file is taken away
// from this one: SQLite would go on writing into a file that nobody finds any more.
type guard struct {
	path   string
	lock   *flock.Flock
	own    map[string]fs.FileInfo // of the open files, by the suffixes of their names
	looked time.Time
	err    error // of the last look
	taken  error // another host has had the file: what is in memory is not what is there

	// version returns a number that changes when another connection writes, and opened
	// is what it was.
	version func() (int64, error)
	opened  int64
}

// files are the suffixes of the names of the files that SQLite has open.
var files = []string{"", "-wal", "-shm"}

// errInUse is that another host has the file.
var errInUse = errors.New("is in use by another host: stop that one, or choose another file")

// newGuard locks the file at path.
func newGuard(path string) (*guard, error) {
	g := &guard{path: path, own: map[string]fs.FileInfo{}}
	return g, g.take()
}

// take takes the lock.
func (g *guard) take() error {
	lock := flock.New(g.path+".lock", flock.SetPermissions(fileMode))
	locked, err := lock.TryLock()
	if err != nil {
		return fmt.Errorf("lock the database: %w", err)
	}
	if !locked {
		return fmt.Errorf("database %s %w", g.path, errInUse)
	}
	old := g.lock
	g.lock = lock
	if g.own[".lock"], err = lock.Stat(); err == nil && old != nil {
		err = old.Unlock()
	}
	return err
}

// release gives the lock back.
func (g *guard) release() error {
	if g.lock == nil {
		return nil
	}
	return g.lock.Unlock()
}

// note notes which files are open, and the version that they are in. check may be called
// from then on, by one goroutine, which version belongs to too.
func (g *guard) note(version func() (int64, error)) (err error) {
	for _, suffix := range files {
		if info, err := os.Stat(g.path + suffix); err == nil {
			g.own[suffix] = info
		}
	}
	g.looked, g.version = time.Now(), version
	g.opened, err = version()
	return err
}

// check returns an error while one of the files does not have its name, as far as was
// seen at the last look.
func (g *guard) check() error {
	if now := time.Now(); now.Sub(g.looked) >= guardEvery {
		g.looked, g.err = now, g.look()
	}
	return g.err
}

func (g *guard) look() error {
	for _, suffix := range files {
		if g.gone(suffix) {
			return fmt.Errorf("%s was moved, removed or replaced while it was in use: put it back; what was accepted last is in %s-wal alone, which belongs to that file and spoils any other", g.path+suffix, g.path)
		}
	}
	if g.taken != nil || !g.gone(".lock") {
		return g.taken
	}
	err := g.take()
	if err == nil {
		var now int64
		if now, err = g.version(); err == nil && now != g.opened {
			err = errInUse // or was, meanwhile
		}
	}
	if errors.Is(err, errInUse) {
		g.taken = fmt.Errorf("%s was removed while it was in use, and another host has opened the file since: stop this one, and start it again", g.path+".lock")
		return g.taken
	}
	return err
}

// gone tells whether a file does not have its name any more.
func (g *guard) gone(suffix string) bool {
	own := g.own[suffix]
	info, err := os.Stat(g.path + suffix)
	return own != nil && (errors.Is(err, fs.ErrNotExist) || err == nil && !os.SameFile(info, own))
}
