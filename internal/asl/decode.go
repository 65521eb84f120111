package asl

import (
	"fmt"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"
)

// maxDepth bounds the nesting of a JSON text, so that no input overflows the
// stack. Step Functions' parser (Jackson) stops at 1,000 too.
const maxDepth = 1000

// decode reads one JSON text. The last of several members of the same name wins,
// as in Jackson. If positions is not nil it is told where everything is.
func decode(text []byte, positions *positions) (any, error) {
	d := decoder{text: text, positions: positions}
	d.space()
	v, err := d.value(0)
	if err != nil {
		return nil, err
	}
	d.space()
	if d.pos < len(d.text) {
		return nil, d.errorf("unexpected %q after the JSON value", d.text[d.pos])
	}
	return v, nil
}

type decoder struct {
	text      []byte
	pos       int
	positions *positions
}

// syntaxError says what isn't JSON in a text, and where.
type syntaxError struct {
	offset, line, column int
	message              string
}

func (e *syntaxError) Error() string {
	return fmt.Sprintf("line %d, column %d: %s", e.line, e.column, e.message)
}

func (d *decoder) errorf(format string, args ...any) error {
	line, column := lineAndColumn(d.text, d.pos)
	return &syntaxError{d.pos, line, column, fmt.Sprintf(format, args...)}
}

func (d *decoder) space() {
	for d.pos < len(d.text) {
		switch d.text[d.pos] {
		case ' ', '\t', '\n', '\r':
			d.pos++
		default:
			return
		}
	}
}

func (d *decoder) value(depth int) (any, error) {
	if depth > maxDepth {
		return nil, d.errorf("nested deeper than %d levels", maxDepth)
	}
	if d.pos >= len(d.text) {
		return nil, d.errorf("unexpected end of JSON")
	}
	switch c := d.text[d.pos]; {
	case c == '{':
		return d.object(depth)
	case c == '[':
		return d.array(depth)
	case c == '"':
		return d.string()
	case c == '-' || c >= '0' && c <= '9':
		return d.number()
	case c == 't':
		return true, d.word("true")
	case c == 'f':
		return false, d.word("false")
	case c == 'n':
		return nil, d.word("null")
	default:
		return nil, d.errorf("unexpected %q", c)
	}
}

func (d *decoder) word(w string) error {
	if !strings.HasPrefix(string(d.text[d.pos:min(d.pos+len(w), len(d.text))]), w) {
		return d.errorf("unexpected %q", d.text[d.pos])
	}
	d.pos += len(w)
	return nil
}

func (d *decoder) object(depth int) (any, error) {
	d.pos++
	d.space()
	if d.pos < len(d.text) && d.text[d.pos] == '}' {
		d.pos++
		return emptyObject, nil
	}
	o := &object{members: make([]member, 0, 4)}
	for {
		if d.pos >= len(d.text) || d.text[d.pos] != '"' {
			return nil, d.errorf("expected a member name")
		}
		begin := d.pos
		key, err := d.string()
		if err != nil {
			return nil, err
		}
		d.space()
		if d.pos >= len(d.text) || d.text[d.pos] != ':' {
			return nil, d.errorf("expected ':' after the member name %q", key)
		}
		d.pos++
		d.space()
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		d.add(o, key, v, begin)
		d.space()
		if d.pos >= len(d.text) {
			return nil, d.errorf("unexpected end of JSON in an object")
		}
		switch d.text[d.pos] {
		case ',':
			d.pos++
			d.space()
		case '}':
			d.pos++
			return o, nil
		default:
			return nil, d.errorf("expected ',' or '}', found %q", d.text[d.pos])
		}
	}
}

func (d *decoder) add(o *object, key string, v any, begin int) {
	if i := o.find(key); i >= 0 {
		d.positions.duplicate(key, begin)
		o.members[i].value = v
		return
	}
	o.members = append(o.members, member{key, v})
	d.positions.member(o, begin)
	if o.index != nil {
		o.index[key] = len(o.members) - 1
	} else {
		o.buildIndex()
	}
}

func (d *decoder) array(depth int) (any, error) {
	d.pos++
	d.space()
	if d.pos < len(d.text) && d.text[d.pos] == ']' {
		d.pos++
		return []any{}, nil
	}
	var items []any
	var begins []int
	for {
		if d.positions != nil {
			begins = append(begins, d.pos)
		}
		v, err := d.value(depth + 1)
		if err != nil {
			return nil, err
		}
		items = append(items, v)
		d.space()
		if d.pos >= len(d.text) {
			return nil, d.errorf("unexpected end of JSON in an array")
		}
		switch d.text[d.pos] {
		case ',':
			d.pos++
			d.space()
		case ']':
			d.pos++
			d.positions.elements(items, begins)
			return items, nil
		default:
			return nil, d.errorf("expected ',' or ']', found %q", d.text[d.pos])
		}
	}
}

func (d *decoder) number() (any, error) {
	start := d.pos
	if d.text[d.pos] == '-' {
		d.pos++
	}
	switch {
	case d.pos < len(d.text) && d.text[d.pos] == '0':
		d.pos++
	case d.digits() == 0:
		return nil, d.errorf("malformed number")
	}
	if d.pos < len(d.text) && d.text[d.pos] == '.' {
		d.pos++
		if d.digits() == 0 {
			return nil, d.errorf("malformed number: no digits after the point")
		}
	}
	if d.pos < len(d.text) && (d.text[d.pos] == 'e' || d.text[d.pos] == 'E') {
		d.pos++
		if d.pos < len(d.text) && (d.text[d.pos] == '+' || d.text[d.pos] == '-') {
			d.pos++
		}
		if d.digits() == 0 {
			return nil, d.errorf("malformed number: no digits in the exponent")
		}
	}
	return newNumber(string(d.text[start:d.pos])), nil
}

func (d *decoder) digits() int {
	start := d.pos
	for d.pos < len(d.text) && d.text[d.pos] >= '0' && d.text[d.pos] <= '9' {
		d.pos++
	}
	return d.pos - start
}

func (d *decoder) string() (string, error) {
	d.pos++
	start := d.pos
	for d.pos < len(d.text) {
		switch c := d.text[d.pos]; {
		case c == '"':
			s := string(d.text[start:d.pos])
			d.pos++
			return validText(s), nil
		case c == '\\':
			return d.escapedString(start)
		case c < ' ':
			return "", d.errorf("control character in a string")
		}
		d.pos++
	}
	return "", d.errorf("unexpected end of JSON in a string")
}

func (d *decoder) escapedString(start int) (string, error) {
	b := append(make([]byte, 0, d.pos-start+32), d.text[start:d.pos]...)
	for d.pos < len(d.text) {
		switch c := d.text[d.pos]; {
		case c == '"':
			d.pos++
			return validText(string(b)), nil
		case c < ' ':
			return "", d.errorf("control character in a string")
		case c != '\\':
			b = append(b, c)
			d.pos++
		default:
			r, err := d.escape()
			if err != nil {
				return "", err
			}
			b = utf8.AppendRune(b, r)
		}
	}
	return "", d.errorf("unexpected end of JSON in a string")
}

var escapes = map[byte]rune{'"': '"', '\\': '\\', '/': '/', 'b': '\b', 'f': '\f', 'n': '\n', 'r': '\r', 't': '\t'}

func (d *decoder) escape() (rune, error) {
	d.pos++
	if d.pos >= len(d.text) {
		return 0, d.errorf("unexpected end of JSON in a string")
	}
	c := d.text[d.pos]
	d.pos++
	if r, ok := escapes[c]; ok {
		return r, nil
	}
	if c != 'u' {
		return 0, d.errorf("unknown escape \\%c", c)
	}
	r, err := d.hex4()
	if err != nil || !utf16.IsSurrogate(r) {
		return r, err
	}
	if d.pos+1 < len(d.text) && d.text[d.pos] == '\\' && d.text[d.pos+1] == 'u' {
		d.pos += 2
		low, err := d.hex4()
		return utf16.DecodeRune(r, low), err
	}
	return utf8.RuneError, nil
}

func (d *decoder) hex4() (rune, error) {
	if d.pos+4 > len(d.text) {
		return 0, d.errorf("incomplete \\u escape")
	}
	n, err := strconv.ParseUint(string(d.text[d.pos:d.pos+4]), 16, 32)
	if err != nil {
		return 0, d.errorf("malformed \\u escape")
	}
	d.pos += 4
	return rune(n), nil
}

func validText(s string) string {
	if utf8.ValidString(s) {
		return s
	}
	return strings.ToValidUTF8(s, string(utf8.RuneError))
}
