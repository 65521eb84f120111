package api

import (
	"encoding/base64"
	"strings"

	"tasks/internal/task"
)

// tokenVersion begins every page token, so that a token of another version is
// known for one.
const tokenVersion = "1"

// pageToken returns the token of the page of status's tasks that follows next.
func pageToken(status task.Status, next task.ID) string {
	return base64.RawURLEncoding.EncodeToString([]byte(tokenVersion + "." + string(status) + "." + string(next)))
}

// parsePageToken is the inverse of pageToken. It refuses the token of another
// status's listing.
func parsePageToken(token string, status task.Status) (next task.ID, ok bool) {
	b, err := base64.RawURLEncoding.Strict().DecodeString(token)
	if err != nil {
		return "", false
	}
	id, ok := strings.CutPrefix(string(b), tokenVersion+"."+string(status)+".")
	if !ok {
		return "", false
	}
	next, err = task.ParseID(id)
	return next, err == nil && pageToken(status, next) == token // base64 has line breaks in it for nothing
}
