package asl

import (
	"crypto/md5"
	"crypto/sha1"
	"crypto/sha256"
	"crypto/sha512"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
)

// maxEncodedLength is the limit of States.Base64Encode, States.Base64Decode and
// States.Hash ("Intrinsic functions for JSONPath states in Step Functions").
const maxEncodedLength = 10_000

func base64Encode(_ *evaluator, _ *call, args []any) (any, error) {
	s, err := encodedArg(args)
	if err != nil {
		return nil, err
	}
	return base64.StdEncoding.EncodeToString([]byte(s)), nil
}

func base64Decode(_ *evaluator, _ *call, args []any) (any, error) {
	s, err := encodedArg(args)
	if err != nil {
		return nil, err
	}
	b, err := base64.StdEncoding.DecodeString(s)
	if err != nil {
		b, err = base64.RawStdEncoding.DecodeString(s)
	}
	if err != nil {
		return nil, errors.New("the argument is not Base64")
	}
	return validText(string(b)), nil
}

func encodedArg(args []any) (string, error) {
	s, err := stringArg(args, 0)
	if err == nil && len(s) > maxEncodedLength {
		err = fmt.Errorf("the argument is longer than %d characters", maxEncodedLength)
	}
	return s, err
}

func hash(_ *evaluator, _ *call, args []any) (any, error) {
	algorithm, err := stringArg(args, 1)
	if err != nil {
		return nil, err
	}
	// A value that is not a string is hashed as its JSON text.
	data, ok := args[0].(string)
	if !ok {
		data = string(encode(args[0]))
	}
	if len(data) > maxEncodedLength {
		return nil, fmt.Errorf("the data is longer than %d characters", maxEncodedLength)
	}
	var sum []byte
	switch algorithm {
	case "MD5":
		h := md5.Sum([]byte(data))
		sum = h[:]
	case "SHA-1":
		h := sha1.Sum([]byte(data))
		sum = h[:]
	case "SHA-256":
		h := sha256.Sum256([]byte(data))
		sum = h[:]
	case "SHA-384":
		h := sha512.Sum384([]byte(data))
		sum = h[:]
	case "SHA-512":
		h := sha512.Sum512([]byte(data))
		sum = h[:]
	default:
		return nil, fmt.Errorf("unknown algorithm %q; there are MD5, SHA-1, SHA-256, SHA-384 and SHA-512", algorithm)
	}
	return hex.EncodeToString(sum), nil
}
