package asl

import (
	"fmt"
	"strings"
)

// normalPath writes steps in Jayway's normal form, $['a'][0].
func normalPath(steps []step) string {
	var b strings.Builder
	b.WriteByte('$')
	for _, s := range steps {
		b.WriteString(stepText(s))
	}
	return b.String()
}

func stepText(s step) string {
	if s.kind == stepIndex {
		return fmt.Sprintf("[%d]", s.index)
	}
	return "['" + s.name + "']"
}

// javaClass names the class that holds v on AWS, which shows in messages.
func javaClass(v any) string {
	switch v := v.(type) {
	case nil:
		return "null"
	case bool:
		return "java.lang.Boolean"
	case string:
		return "java.lang.String"
	case []any:
		return "java.util.ArrayList"
	case number:
		if _, ok := v.int64(); ok {
			return "java.lang.Integer"
		}
		return "java.lang.Double"
	}
	return "java.util.LinkedHashMap"
}
