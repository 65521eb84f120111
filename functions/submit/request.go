package submit

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"strings"

	"tasks/internal/api"
	"tasks/internal/task"
)

// answerOf returns the answer in the request's body, {"answer": "..."}. The
// error is an api.Problem.
func answerOf(req api.Request) (string, error) {
	object, err := api.Object(req)
	if err != nil {
		return "", err
	}
	raw, ok := object["answer"]
	if !ok {
		return "", api.Problemf(http.StatusUnprocessableEntity, `The member "answer" is missing. Send {"answer": "..."}, spelled so.`)
	}
	for name := range object {
		if name != "answer" {
			return "", api.Problemf(http.StatusUnprocessableEntity, `There is no member %q. Send "answer" alone.`, task.Cut(name, 64))
		}
	}
	var answer *string
	if err := json.Unmarshal(raw, &answer); err != nil || answer == nil {
		return "", api.Problemf(http.StatusUnprocessableEntity, `The member "answer" must be a string. Put anything else in it as text.`)
	}
	if strings.TrimSpace(*answer) == "" {
		return "", api.Problemf(http.StatusUnprocessableEntity, `The member "answer" is blank. Put some text in it.`)
	}
	if len(*answer) > task.MaxAnswerBytes {
		return "", api.Problemf(http.StatusRequestEntityTooLarge, "The answer is longer than %d bytes of UTF-8. Put the data elsewhere and send a reference to it.", task.MaxAnswerBytes)
	}
	return *answer, nil
}

// keyOf returns the request's idempotency key, or nil if it has none. The error is
// an api.Problem.
func keyOf(req api.Request, answer string) (*task.IdempotencyKey, error) {
	name, given := req.Headers["idempotency-key"]
	if !given {
		return nil, nil
	}
	if !task.ValidKey(name) {
		return nil, api.Problemf(http.StatusBadRequest, "The header Idempotency-Key must have 1 to %d printable characters of ASCII. Use a random UUID.", task.MaxKeyLength)
	}
	// What is asked for, whatever its JSON looks like. What is added to it must leave
	// the digest of a request without it as it is.
	request, err := json.Marshal(map[string]any{"answer": answer})
	if err != nil {
		return nil, err
	}
	return &task.IdempotencyKey{Name: name, Request: sha256.Sum256(request)}, nil
}
