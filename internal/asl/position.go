package asl

import (
	"strconv"
	"strings"
)

// positions remembers where the parts of a definition are in its text, so that
// problems can be shown with line and column. A nil *positions forgets.
type positions struct {
	ofMembers  map[*object][]int // of each member's name
	ofElements map[*any][]int    // of each element, by the address of the first
	duplicates []duplicateMember
}

type duplicateMember struct {
	key    string
	offset int
}

func newPositions() *positions {
	return &positions{ofMembers: map[*object][]int{}, ofElements: map[*any][]int{}}
}

func (p *positions) member(o *object, offset int) {
	if p != nil {
		p.ofMembers[o] = append(p.ofMembers[o], offset)
	}
}

func (p *positions) elements(items []any, offsets []int) {
	if p != nil {
		p.ofElements[&items[0]] = offsets
	}
}

func (p *positions) duplicate(key string, offset int) {
	if p != nil {
		p.duplicates = append(p.duplicates, duplicateMember{key, offset})
	}
}

// find gives the offset and the value of the place that path names below v, or
// of the deepest part of it that is there.
func (p *positions) find(v any, path string) (offset int, value any) {
	for path != "" {
		path = strings.TrimPrefix(path, ".")
		var ok bool
		var next any
		var at int
		switch v := v.(type) {
		case *object:
			next, at, path, ok = p.findMember(v, path)
		case []any:
			next, at, path, ok = p.findElement(v, path)
		}
		if !ok {
			break
		}
		v, offset = next, at
	}
	return offset, v
}

// findMember takes the longest name that the path can begin with: names may
// have dots.
func (p *positions) findMember(o *object, path string) (any, int, string, bool) {
	best := -1
	for i, m := range o.members {
		rest, ok := strings.CutPrefix(path, m.key)
		if ok && (rest == "" || rest[0] == '.' || rest[0] == '[') && (best < 0 || len(m.key) > len(o.members[best].key)) {
			best = i
		}
	}
	if best < 0 {
		return nil, 0, path, false
	}
	m := o.members[best]
	return m.value, p.ofMembers[o][best], path[len(m.key):], true
}

func (p *positions) findElement(a []any, path string) (any, int, string, bool) {
	text, rest, ok := strings.Cut(strings.TrimPrefix(path, "["), "]")
	i, err := strconv.Atoi(text)
	if !ok || err != nil || i >= len(a) {
		return nil, 0, path, false
	}
	return a[i], p.ofElements[&a[0]][i], rest, true
}

// lineAndColumn counts both from 1, columns in bytes.
func lineAndColumn(text []byte, offset int) (line, column int) {
	line, column = 1, 1
	for _, c := range text[:min(offset, len(text))] {
		if c == '\n' {
			line, column = line+1, 1
		} else {
			column++
		}
	}
	return line, column
}
