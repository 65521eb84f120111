package asl

import (
	"math/big"
	"strconv"
)

// A JSON value is one of nil, bool, number, string, []any and *object. Values
// are immutable once built: states share them, and history keeps them until
// somebody asks for the text.

// number is a JSON number as text, normalised by newNumber: integers of any
// size keep their digits, everything else reads as Java's Double.toString, in
// which Step Functions writes it.
type number string

// object is a JSON object that keeps the order of its members.
type object struct {
	members []member
	index   map[string]int // only for large objects
}

type member struct {
	key   string
	value any
}

// Up to this many members a linear search beats a map.
const linearSearchLimit = 12

func newObject(members ...member) *object {
	o := &object{members: members}
	o.buildIndex()
	return o
}

func (o *object) buildIndex() {
	if len(o.members) <= linearSearchLimit {
		return
	}
	o.index = make(map[string]int, len(o.members))
	for i, m := range o.members {
		o.index[m.key] = i
	}
}

func (o *object) find(key string) int {
	if o.index != nil {
		if i, ok := o.index[key]; ok {
			return i
		}
		return -1
	}
	for i := range o.members {
		if o.members[i].key == key {
			return i
		}
	}
	return -1
}

func (o *object) get(key string) (any, bool) {
	if i := o.find(key); i >= 0 {
		return o.members[i].value, true
	}
	return nil, false
}

// with returns a copy of o in which key has the value v. A new key goes last.
func (o *object) with(key string, v any) *object {
	i := o.find(key)
	members := make([]member, len(o.members), len(o.members)+1)
	copy(members, o.members)
	if i >= 0 {
		members[i].value = v
		return &object{members: members, index: o.index}
	}
	return newObject(append(members, member{key, v})...)
}

var emptyObject = newObject()

// typeName names the JSON type of v as error messages do.
func typeName(v any) string {
	switch v.(type) {
	case nil:
		return "null"
	case bool:
		return "boolean"
	case number:
		return "number"
	case string:
		return "string"
	case []any:
		return "array"
	case *object:
		return "object"
	}
	return "unknown"
}

// equalValues reports whether a and b are the same JSON value. Objects compare
// without regard to order, numbers by value.
func equalValues(a, b any) bool {
	return equalBy(a, b, func(a, b number) bool { return compareNumbers(a, b) == 0 })
}

// identicalValues is like equalValues, but 1 and 1.0 differ, as do the Integer
// and the Double in a Java collection.
func identicalValues(a, b any) bool {
	return equalBy(a, b, func(a, b number) bool { return a == b })
}

func equalBy(a, b any, same func(a, b number) bool) bool {
	switch a := a.(type) {
	case number:
		b, ok := b.(number)
		return ok && same(a, b)
	case []any:
		b, ok := b.([]any)
		if !ok || len(a) != len(b) {
			return false
		}
		for i := range a {
			if !equalBy(a[i], b[i], same) {
				return false
			}
		}
		return true
	case *object:
		b, ok := b.(*object)
		if !ok || len(a.members) != len(b.members) {
			return false
		}
		for _, m := range a.members {
			v, ok := b.get(m.key)
			if !ok || !equalBy(m.value, v, same) {
				return false
			}
		}
		return true
	}
	return a == b
}

func intNumber(i int64) number { return number(strconv.FormatInt(i, 10)) }

// int64 gives the value of an integral number that fits.
func (n number) int64() (int64, bool) {
	i, err := strconv.ParseInt(string(n), 10, 64)
	return i, err == nil
}

func (n number) float64() float64 {
	f, _ := strconv.ParseFloat(string(n), 64)
	return f
}

func compareNumbers(a, b number) int {
	ai, aok := a.int64()
	bi, bok := b.int64()
	if aok && bok {
		switch {
		case ai < bi:
			return -1
		case ai > bi:
			return 1
		}
		return 0
	}
	af, bf := a.float64(), b.float64()
	switch {
	case af < bf:
		return -1
	case af > bf:
		return 1
	}
	// Equal as doubles: two big integers may still differ.
	if x, ok := new(big.Int).SetString(string(a), 10); ok {
		if y, ok := new(big.Int).SetString(string(b), 10); ok {
			return x.Cmp(y)
		}
	}
	return 0
}

// newNumber normalises the literal of a JSON number as Jackson and Java do:
// -0 is 0, an integer keeps its digits, anything else is a double.
func newNumber(literal string) number {
	integral := true
	for i := 0; i < len(literal); i++ {
		switch literal[i] {
		case '.', 'e', 'E':
			integral = false
		}
	}
	if integral {
		if literal == "-0" {
			return "0"
		}
		return number(literal)
	}
	f, err := strconv.ParseFloat(literal, 64)
	if err != nil {
		return number(literal) // out of range: keep what was written
	}
	return floatNumber(f)
}

// floatNumber formats f as Java's Double.toString.
func floatNumber(f float64) number {
	if f == 0 {
		if strconv.FormatFloat(f, 'f', -1, 64) == "-0" {
			return "-0.0"
		}
		return "0.0"
	}
	abs := f
	if abs < 0 {
		abs = -abs
	}
	if abs >= 1e-3 && abs < 1e7 {
		s := strconv.FormatFloat(f, 'f', -1, 64)
		for i := 0; i < len(s); i++ {
			if s[i] == '.' {
				return number(s)
			}
		}
		return number(s + ".0")
	}
	s := strconv.FormatFloat(f, 'e', -1, 64)
	var mantissa, exponent string
	for i := 0; i < len(s); i++ {
		if s[i] == 'e' {
			mantissa, exponent = s[:i], s[i+1:]
		}
	}
	if len(mantissa) == 1 || (len(mantissa) == 2 && mantissa[0] == '-') {
		mantissa += ".0"
	}
	e, _ := strconv.Atoi(exponent)
	return number(mantissa + "E" + strconv.Itoa(e))
}
