package api

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"strings"

	"tasks/internal/task"
)

// tokenVersion begins every page token, so that a token of another version is
// known for one.
const tokenVersion = "2"

// pageToken returns the token of the page of a filter's tasks that follows next.
func pageToken(f task.Filter, next task.ID) string {
	return base64.RawURLEncoding.EncodeToString([]byte(tokenPrefix(f) + string(next)))
}

// tokenPrefix tells one filter's tokens from another's.
func tokenPrefix(f task.Filter) string {
	b, err := json.Marshal(f)
	if err != nil {
		panic(err) // strings and times always marshal
	}
	sum := sha256.Sum256(b)
	return tokenVersion + "." + hex.EncodeToString(sum[:8]) + "."
}

// parsePageToken is the inverse of pageToken. It refuses the token of another
// filter's listing.
func parsePageToken(token string, f task.Filter) (next task.ID, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return "", false
	}
	id, ok := strings.CutPrefix(string(b), tokenPrefix(f))
	if !ok {
		return "", false
	}
	next, err = task.ParseID(id)
	return next, err == nil && pageToken(f, next) == token // base64 has line breaks in it for nothing
}
