package asl

import (
	"errors"
	"fmt"
	"math"
	"slices"
)

// maxRangeLength is the limit of States.ArrayRange ("Intrinsic functions for
// JSONPath states in Step Functions").
const maxRangeLength = 1000

func array(_ *evaluator, _ *call, args []any) (any, error) { return args, nil }

func arrayPartition(_ *evaluator, _ *call, args []any) (any, error) {
	a, err := arrayArg(args, 0)
	if err != nil {
		return nil, err
	}
	size, err := roundedArg(args, 1)
	if err != nil {
		return nil, err
	}
	if size < 1 {
		return nil, fmt.Errorf("the chunk size must be positive, not %d", size)
	}
	chunks := []any{}
	for len(a) > 0 {
		n := int(min(size, int64(len(a))))
		chunks = append(chunks, a[:n:n])
		a = a[n:]
	}
	return chunks, nil
}

func arrayContains(_ *evaluator, _ *call, args []any) (any, error) {
	a, err := arrayArg(args, 0)
	if err != nil {
		return nil, err
	}
	return slices.ContainsFunc(a, func(v any) bool { return identicalValues(v, args[1]) }), nil
}

func arrayRange(_ *evaluator, _ *call, args []any) (any, error) {
	var n [3]int64
	for i := range n {
		v, err := roundedArg(args, i)
		if err != nil {
			return nil, err
		}
		n[i] = v
	}
	first, last, stride := n[0], n[1], n[2]
	if stride == 0 {
		return nil, errors.New("the increment must not be 0")
	}
	items := []any{}
	for i := first; stride > 0 && i <= last || stride < 0 && i >= last; i += stride {
		if len(items) == maxRangeLength {
			return nil, fmt.Errorf("the range has more than %d items", maxRangeLength)
		}
		items = append(items, intNumber(i))
		if stride > 0 && i > math.MaxInt64-stride || stride < 0 && i < math.MinInt64-stride {
			break
		}
	}
	return items, nil
}

func arrayGetItem(_ *evaluator, _ *call, args []any) (any, error) {
	a, err := arrayArg(args, 0)
	if err != nil {
		return nil, err
	}
	i, err := roundedArg(args, 1)
	if err != nil {
		return nil, err
	}
	if i < 0 || i >= int64(len(a)) {
		return nil, fmt.Errorf("index %d is out of bounds for an array of %d items", i, len(a))
	}
	return a[i], nil
}

func arrayLength(_ *evaluator, _ *call, args []any) (any, error) {
	a, err := arrayArg(args, 0)
	return intNumber(int64(len(a))), err
}

func arrayUnique(_ *evaluator, _ *call, args []any) (any, error) {
	a, err := arrayArg(args, 0)
	if err != nil {
		return nil, err
	}
	unique := []any{}
	for _, v := range a {
		if !slices.ContainsFunc(unique, func(u any) bool { return identicalValues(u, v) }) {
			unique = append(unique, v)
		}
	}
	return unique, nil
}
