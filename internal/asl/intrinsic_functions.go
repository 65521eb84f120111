package asl

import (
	"encoding/hex"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"unicode/utf8"
)

var intrinsics = map[string]*intrinsic{
	"States.Array":          {0, -1, array},
	"States.ArrayPartition": {2, 2, arrayPartition},
	"States.ArrayContains":  {2, 2, arrayContains},
	"States.ArrayRange":     {3, 3, arrayRange},
	"States.ArrayGetItem":   {2, 2, arrayGetItem},
	"States.ArrayLength":    {1, 1, arrayLength},
	"States.ArrayUnique":    {1, 1, arrayUnique},
	"States.Base64Encode":   {1, 1, base64Encode},
	"States.Base64Decode":   {1, 1, base64Decode},
	"States.Hash":           {2, 2, hash},
	"States.JsonMerge":      {3, 3, jsonMerge},
	"States.StringToJson":   {1, 1, stringToJSON},
	"States.JsonToString":   {1, 1, jsonToString},
	"States.MathRandom":     {2, 3, mathRandom},
	"States.MathAdd":        {2, 2, mathAdd},
	"States.StringSplit":    {2, 2, stringSplit},
	"States.UUID":           {0, 0, newUUID},
	"States.Format":         {1, -1, format},
}

func arrayArg(args []any, i int) ([]any, error) {
	a, ok := args[i].([]any)
	if !ok {
		return nil, fmt.Errorf("argument %d must be an array, not %s", i+1, typeName(args[i]))
	}
	return a, nil
}

func stringArg(args []any, i int) (string, error) {
	s, ok := args[i].(string)
	if !ok {
		return "", fmt.Errorf("argument %d must be a string, not %s", i+1, typeName(args[i]))
	}
	return s, nil
}

// roundedArg reads a number as Java's Math.round does: halves go up, so that
// -1.5 is -1. Recorded on Step Functions for States.MathAdd.
func roundedArg(args []any, i int) (int64, error) {
	n, ok := args[i].(number)
	if !ok {
		return 0, fmt.Errorf("argument %d must be a number, not %s", i+1, typeName(args[i]))
	}
	if v, ok := n.int64(); ok {
		return v, nil
	}
	f := math.Floor(n.float64() + 0.5)
	if f >= math.MaxInt64 || f < math.MinInt64 {
		return 0, fmt.Errorf("argument %d is out of range: %s", i+1, n)
	}
	return int64(f), nil
}

func jsonMerge(_ *evaluator, _ *call, args []any) (any, error) {
	var objects [2]*object
	for i := range objects {
		o, ok := args[i].(*object)
		if !ok {
			return nil, fmt.Errorf("argument %d must be an object, not %s", i+1, typeName(args[i]))
		}
		objects[i] = o
	}
	deep, ok := args[2].(bool)
	if !ok {
		return nil, fmt.Errorf("argument 3 must be a boolean, not %s", typeName(args[2]))
	}
	if deep {
		return nil, errors.New("deep merging is not supported: argument 3 must be false")
	}
	merged := objects[0]
	for _, m := range objects[1].members {
		merged = merged.with(m.key, m.value)
	}
	members := slices.Clone(merged.members)
	sortAsJavaHashMap(members, func(m member) string { return m.key })
	return newObject(members...), nil
}

// stringToJSON gives null for blank text, as recorded on Step Functions.
func stringToJSON(_ *evaluator, _ *call, args []any) (any, error) {
	s, err := stringArg(args, 0)
	if err != nil || strings.TrimSpace(s) == "" {
		return nil, err
	}
	v, err := decode([]byte(s), nil)
	if err != nil {
		return nil, fmt.Errorf("the argument is not JSON: %w", err)
	}
	return v, nil
}

func jsonToString(_ *evaluator, _ *call, args []any) (any, error) {
	return string(encode(args[0])), nil
}

func mathAdd(_ *evaluator, _ *call, args []any) (any, error) {
	a, err := roundedArg(args, 0)
	if err != nil {
		return nil, err
	}
	b, err := roundedArg(args, 1)
	if err != nil {
		return nil, err
	}
	if b > 0 && a > math.MaxInt64-b || b < 0 && a < math.MinInt64-b {
		return nil, errors.New("the sum is out of range")
	}
	return intNumber(a + b), nil
}

// mathRandom gives a number from start (inclusive) to end (exclusive). The same
// seed gives the same number.
func mathRandom(x *evaluator, _ *call, args []any) (any, error) {
	start, err := roundedArg(args, 0)
	if err != nil {
		return nil, err
	}
	end, err := roundedArg(args, 1)
	if err != nil {
		return nil, err
	}
	if end <= start {
		return nil, fmt.Errorf("the end %d must be above the start %d", end, start)
	}
	var random uint64
	if len(args) == 3 {
		seed, err := roundedArg(args, 2)
		if err != nil {
			return nil, err
		}
		random = mix(uint64(seed), 0)
	} else {
		random = x.random()
	}
	return intNumber(int64(uint64(start) + random%(uint64(end)-uint64(start)))), nil
}

// stringSplit splits at each of the delimiter's characters and drops empty
// pieces, as Java's StringTokenizer does.
func stringSplit(_ *evaluator, _ *call, args []any) (any, error) {
	s, err := stringArg(args, 0)
	if err != nil {
		return nil, err
	}
	delimiters, err := stringArg(args, 1)
	if err != nil {
		return nil, err
	}
	pieces := []any{}
	for _, p := range strings.FieldsFunc(s, func(r rune) bool { return strings.ContainsRune(delimiters, r) }) {
		pieces = append(pieces, p)
	}
	return pieces, nil
}

func newUUID(x *evaluator, _ *call, _ []any) (any, error) {
	var b [16]byte
	for i, r := range []uint64{x.random(), x.random()} {
		for j := range 8 {
			b[8*i+j] = byte(r >> (8 * j))
		}
	}
	b[6] = b[6]&0x0f | 0x40 // version 4
	b[8] = b[8]&0x3f | 0x80 // RFC 9562 variant
	h := hex.EncodeToString(b[:])
	return h[:8] + "-" + h[8:12] + "-" + h[12:16] + "-" + h[16:20] + "-" + h[20:], nil
}

func format(_ *evaluator, c *call, args []any) (any, error) {
	template, err := stringArg(args, 0)
	if err != nil {
		return nil, err
	}
	if c.args[0].quoted != "" {
		template = c.args[0].quoted
	}
	var b strings.Builder
	next := 1
	for i := 0; i < len(template); {
		switch {
		case template[i] == '\\' && i+1 < len(template) && strings.IndexByte(`'{}\`, template[i+1]) >= 0:
			b.WriteByte(template[i+1])
			i += 2
		case strings.HasPrefix(template[i:], "{}"):
			if next >= len(args) {
				return nil, errors.New("there are more {} than arguments")
			}
			b.WriteString(javaText(args[next]))
			next++
			i += 2
		default:
			_, size := utf8.DecodeRuneInString(template[i:])
			b.WriteString(template[i : i+size])
			i += size
		}
	}
	if next < len(args) {
		return nil, errors.New("there are more arguments than {}")
	}
	return b.String(), nil
}
