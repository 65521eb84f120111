package api

import (
	"encoding/base64"
	"encoding/json"
	"mime"
	"net/http"
	"strconv"
	"strings"
	"unicode/utf16"
	"unicode/utf8"

	"tasks/internal/task"
)

// MaxBodyBytes bounds a request's body. The longest answer fits with every byte
// of it escaped.
const MaxBodyBytes = 2 << 20

// NoBody refuses a request that has a body. The error is a Problem.
func NoBody(req Request) error {
	if req.Body != "" {
		return Problemf(http.StatusBadRequest, "This path takes no body. Leave it out.")
	}
	return nil
}

// Object returns the members of the JSON object that is the request's body.
// What json.Unmarshal lets pass is refused: bytes that are not UTF-8, halves of
// surrogate pairs, names given twice. The error is a Problem: 400 where the
// syntax is wrong, 413 and 415, and 422 for JSON that is no object.
func Object(req Request) (map[string]json.RawMessage, error) {
	if !isJSON(req.Headers["content-type"]) {
		return nil, Problemf(http.StatusUnsupportedMediaType, "The body must be JSON in UTF-8. Send it with the header Content-Type: application/json.")
	}
	body, err := bodyOf(req)
	if err != nil {
		return nil, err
	}
	switch {
	case len(body) == 0:
		return nil, Problemf(http.StatusBadRequest, `There is no body. Send a JSON object, such as {"answer": "42"}.`)
	case !utf8.Valid(body):
		return nil, Problemf(http.StatusBadRequest, "The body is not UTF-8. Encode it as UTF-8.")
	case !json.Valid(body):
		return nil, Problemf(http.StatusBadRequest, "The body is not one JSON document. Check quotes, commas and braces, and send nothing after the closing brace.")
	case hasLoneSurrogate(body):
		return nil, Problemf(http.StatusBadRequest, `The body has half of a surrogate pair, \ud800 to \udfff. Write characters beyond \uffff as two such escapes, or in UTF-8.`)
	}
	return Members(body)
}

// bodyOf returns the body's bytes.
func bodyOf(req Request) ([]byte, error) {
	size := len(req.Body)
	if req.IsBase64Encoded {
		size = base64.StdEncoding.DecodedLen(size)
	}
	if size > MaxBodyBytes+2 { // DecodedLen counts up to two bytes of padding
		return nil, tooLarge()
	}
	body := []byte(req.Body)
	if req.IsBase64Encoded {
		var err error
		if body, err = base64.StdEncoding.DecodeString(req.Body); err != nil {
			return nil, Problemf(http.StatusBadRequest, "The body is not the base64 that it is marked as. Send the JSON as it is, with the header Content-Type: application/json.")
		}
	}
	if len(body) > MaxBodyBytes {
		return nil, tooLarge()
	}
	return body, nil
}

func tooLarge() *Problem {
	return Problemf(http.StatusRequestEntityTooLarge, "The body is larger than %d bytes, and an answer may have %d. Put the data elsewhere and send a reference to it.", MaxBodyBytes, task.MaxAnswerBytes)
}

// isJSON tells whether a Content-Type is JSON's, with no charset but UTF-8.
func isJSON(contentType string) bool {
	mediaType, params, err := mime.ParseMediaType(contentType)
	if err != nil || mediaType != "application/json" {
		return false
	}
	charset, ok := params["charset"]
	return len(params) == 0 || len(params) == 1 && ok && strings.EqualFold(charset, "utf-8")
}

// Members returns the members of the JSON object that is body, a valid JSON
// document. The error is a Problem: 422 for what is no object, 400 for a name given
// twice.
func Members(body []byte) (map[string]json.RawMessage, error) {
	dec := json.NewDecoder(strings.NewReader(string(body)))
	if start, err := dec.Token(); err != nil || start != json.Delim('{') {
		return nil, Problemf(http.StatusUnprocessableEntity, `The body must be a JSON object, such as {"answer": "42"}.`)
	}
	object := map[string]json.RawMessage{}
	for dec.More() {
		name, err := dec.Token()
		if err != nil {
			return nil, err
		}
		var value json.RawMessage
		if err := dec.Decode(&value); err != nil {
			return nil, err
		}
		if _, twice := object[name.(string)]; twice {
			return nil, Problemf(http.StatusBadRequest, "The body has the name %q twice. Give it once.", task.Cut(name.(string), 64))
		}
		object[name.(string)] = value
	}
	return object, nil
}

// hasLoneSurrogate tells whether doc, a valid JSON document, escapes one half
// of a surrogate pair, which no UTF-8 can stand for.
func hasLoneSurrogate(doc []byte) bool {
	s := string(doc)
	for {
		i := strings.IndexByte(s, '\\')
		if i < 0 {
			return false
		}
		r, n := unescape(s[i:])
		if utf16.IsSurrogate(r) {
			low, m := unescape(s[i+n:])
			if utf16.DecodeRune(r, low) == utf8.RuneError {
				return true
			}
			n += m
		}
		s = s[i+n:]
	}
}

// unescape returns the UTF-16 unit that s begins with in the form \uXXXX, and
// its length in s. What begins with another escape has the length 2.
func unescape(s string) (unit rune, length int) {
	if len(s) < 6 || s[0] != '\\' || s[1] != 'u' {
		return 0, 2
	}
	u, err := strconv.ParseUint(s[2:6], 16, 16)
	if err != nil {
		return 0, 2
	}
	return rune(u), 6
}
