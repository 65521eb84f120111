package asl

import (
	"math"
	"strconv"
	"strings"
)

// encode writes v as compact JSON.
func encode(v any) []byte {
	return appendValue(make([]byte, 0, encodedSize(v, math.MaxInt)), v)
}

func appendValue(b []byte, v any) []byte {
	switch v := v.(type) {
	case nil:
		return append(b, "null"...)
	case bool:
		return strconv.AppendBool(b, v)
	case number:
		return append(b, v...)
	case string:
		return appendString(b, v)
	case []any:
		b = append(b, '[')
		for i, e := range v {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendValue(b, e)
		}
		return append(b, ']')
	case *object:
		b = append(b, '{')
		for i, m := range v.members {
			if i > 0 {
				b = append(b, ',')
			}
			b = appendString(b, m.key)
			b = append(b, ':')
			b = appendValue(b, m.value)
		}
		return append(b, '}')
	}
	panic("asl: not a JSON value")
}

const hexDigits = "0123456789ABCDEF"

// appendString escapes what JSON requires and nothing else, as Jackson does:
// text in any script stays readable.
func appendString(b []byte, s string) []byte {
	b = append(b, '"')
	start := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= ' ' && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[start:i]...)
		start = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\b':
			b = append(b, '\\', 'b')
		case '\f':
			b = append(b, '\\', 'f')
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	b = append(b, s[start:]...)
	return append(b, '"')
}

// encodedSize gives the length of encode(v), or some number above limit as soon
// as it is clear that the limit is passed.
func encodedSize(v any, limit int) int {
	switch v := v.(type) {
	case nil:
		return 4
	case bool:
		if v {
			return 4
		}
		return 5
	case number:
		return len(v)
	case string:
		return stringSize(v)
	case []any:
		n := 2
		for i, e := range v {
			if i > 0 {
				n++
			}
			if n += encodedSize(e, limit-n); n > limit {
				return n
			}
		}
		return n
	case *object:
		n := 2
		for i, m := range v.members {
			if i > 0 {
				n++
			}
			n += stringSize(m.key) + 1
			if n += encodedSize(m.value, limit-n); n > limit {
				return n
			}
		}
		return n
	}
	return 0
}

func stringSize(s string) int {
	n := len(s) + 2
	for i := 0; i < len(s); i++ {
		switch c := s[i]; {
		case c == '"', c == '\\', c == '\b', c == '\f', c == '\n', c == '\r', c == '\t':
			n++
		case c < ' ':
			n += 5
		}
	}
	return n
}

// javaText writes v as Java's toString does for the maps and lists that
// States.Format is given: {Id=1, Name=a} and [1, 2].
func javaText(v any) string {
	switch v := v.(type) {
	case string:
		return v
	case []any:
		parts := make([]string, len(v))
		for i, e := range v {
			parts[i] = javaText(e)
		}
		return "[" + strings.Join(parts, ", ") + "]"
	case *object:
		parts := make([]string, len(v.members))
		for i, m := range v.members {
			parts[i] = m.key + "=" + javaText(m.value)
		}
		return "{" + strings.Join(parts, ", ") + "}"
	}
	return string(encode(v))
}
