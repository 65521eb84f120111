package host

import (
	"context"
	"sync"

	"tasks/internal/task"
)

// slots bounds the calls of Task states that run at once. One that finds no slot waits
// in line as a few words: it has no goroutine, and its execution need not be in memory.
type slots struct {
	mu   sync.Mutex
	free int
	line []waitingCall // first come, first served; empty while a slot is free
	room chan struct{} // holds one signal: a slot may be free
}

// waitingCall is a call of an execution's that waits for a slot.
type waitingCall struct {
	m   task.Message
	ref int64
}

func newSlots(n int) *slots { return &slots{free: n, room: make(chan struct{}, 1)} }

// take takes a slot for a call, or puts the call in line.
func (s *slots) take(w waitingCall) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	taken := s.grab()
	if !taken {
		s.line = append(s.line, w)
	}
	return taken
}

// takeFree takes a slot if one is free.
func (s *slots) takeFree() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.grab()
}

// grab is takeFree, with the lock held.
func (s *slots) grab() bool {
	if s.free == 0 {
		return false
	}
	s.free--
	return true
}

// leave gives a slot back. If a call waits, it is next and has the slot.
func (s *slots) leave() (next waitingCall, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.line) == 0 {
		s.free++
		s.signal()
		return waitingCall{}, false
	}
	next = s.line[0]
	s.line[0] = waitingCall{} // or its texts would be kept until the slice moves
	s.line = s.line[1:]
	return next, true
}

// waiting returns how many calls are in line.
func (s *slots) waiting() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.line)
}

// wait waits until a slot is free, and leaves it there.
func (s *slots) wait(ctx context.Context) error {
	for {
		s.mu.Lock()
		free := s.free > 0
		if free {
			s.signal() // for whoever else waits
		}
		s.mu.Unlock()
		if free {
			return ctx.Err()
		}
		select {
		case <-s.room:
		case <-ctx.Done():
		}
		if ctx.Err() != nil {
			return ctx.Err()
		}
	}
}

func (s *slots) signal() {
	select {
	case s.room <- struct{}{}:
	default:
	}
}
