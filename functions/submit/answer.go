package submit

import (
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
