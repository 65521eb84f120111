package submit

import (
	"crypto/sha256"
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"time"
	"unicode/utf8"

	"tasks/internal/api"
	"tasks/internal/task"
)

// submissionOf returns the task that an object asks for: {"answer", "delaySeconds",
// "labels"}. more are members that the caller reads. The error is an api.Problem.
func submissionOf(object map[string]json.RawMessage, now time.Time, more ...string) (task.Submission, error) {
	allowed := append([]string{"answer", "delaySeconds", "labels"}, more...)
	for name := range object {
		if !slices.Contains(allowed, name) {
			return task.Submission{}, api.Problemf(http.StatusUnprocessableEntity, "There is no member %q. Use %s.", task.Cut(name, 64), strings.Join(allowed, ", "))
		}
	}
	answer, err := answerOf(object)
	if err != nil {
		return task.Submission{}, err
	}
	delay, err := delayOf(object)
	if err != nil {
		return task.Submission{}, err
	}
	labels, err := labelsOf(object)
	if err != nil {
		return task.Submission{}, err
	}
	id, err := task.NewID()
	if err != nil {
		return task.Submission{}, err
	}
	s := task.Submission{Task: task.New(id, answer, now)}
	s.Labels = labels
	s.Delay(delay)
	return s, nil
}

func answerOf(object map[string]json.RawMessage) (string, error) {
	raw, ok := object["answer"]
	if !ok {
		return "", api.Problemf(http.StatusUnprocessableEntity, `The member "answer" is missing. Send {"answer": "..."}, spelled so.`)
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

func delayOf(object map[string]json.RawMessage) (time.Duration, error) {
	raw, ok := object["delaySeconds"]
	if !ok {
		return 0, nil
	}
	var seconds *int
	most := int(task.MaxDelay / time.Second)
	if err := json.Unmarshal(raw, &seconds); err != nil || seconds == nil || *seconds < 0 || *seconds > most {
		return 0, api.Problemf(http.StatusUnprocessableEntity, `The member "delaySeconds" must be a whole number from 0 to %d.`, most)
	}
	return time.Duration(*seconds) * time.Second, nil
}

func labelsOf(object map[string]json.RawMessage) (map[string]string, error) {
	raw, ok := object["labels"]
	if !ok {
		return nil, nil
	}
	members, err := api.Members(raw)
	if err != nil {
		return nil, api.Problemf(http.StatusUnprocessableEntity, `The member "labels" must be an object such as {"team": "billing"}, and have each name once.`)
	}
	if len(members) > task.MaxLabels {
		return nil, api.Problemf(http.StatusUnprocessableEntity, "There are %d labels. A task can have %d.", len(members), task.MaxLabels)
	}
	labels := make(map[string]string, len(members))
	for key, raw := range members {
		if !task.ValidLabelKey(key) {
			return nil, api.Problemf(http.StatusUnprocessableEntity, "The label %q can't be used. A label's name has 1 to %d letters, digits, dots, hyphens and underscores.", task.Cut(key, 64), task.MaxLabelKey)
		}
		var value *string
		if err := json.Unmarshal(raw, &value); err != nil || value == nil || len(*value) > task.MaxLabelValue {
			return nil, api.Problemf(http.StatusUnprocessableEntity, "The label %s must be a string of at most %d bytes of UTF-8.", key, task.MaxLabelValue)
		}
		labels[key] = *value
	}
	if len(labels) == 0 {
		return nil, nil
	}
	return labels, nil
}

// keyNamed returns the idempotency key of that name for a submission. The error is
// an api.Problem of a status, where is who gave it.
func keyNamed(name string, s task.Submission, status int, where string) (*task.IdempotencyKey, error) {
	if !task.ValidKey(name) {
		return nil, api.Problemf(status, "%s must have 1 to %d printable characters of ASCII. Use a random UUID.", where, task.MaxKeyLength)
	}
	// What is asked for, whatever its JSON looks like. What is added to it must leave
	// the digest of a request without it as it is.
	request := map[string]any{"answer": s.Answer}
	if s.NextAttemptAt.After(s.CreatedAt.Time) {
		request["delaySeconds"] = s.NextAttemptAt.Sub(s.CreatedAt.Time).Seconds()
	}
	if len(s.Labels) > 0 {
		request["labels"] = s.Labels
	}
	b, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	return &task.IdempotencyKey{Name: name, Request: sha256.Sum256(b)}, nil
}

// batchOf returns the objects of a batch, {"tasks": [{...}, ...]}. The error is an
// api.Problem.
func batchOf(req api.Request) ([]json.RawMessage, error) {
	object, err := api.Object(req)
	if err != nil {
		return nil, err
	}
	var items []json.RawMessage
	raw, ok := object["tasks"]
	if !ok || len(object) > 1 || json.Unmarshal(raw, &items) != nil || items == nil {
		return nil, api.Problemf(http.StatusUnprocessableEntity, `The body must be {"tasks": [...]}, with an object such as {"answer": "42"} for each task.`)
	}
	if len(items) == 0 || len(items) > task.MaxBatch {
		return nil, api.Problemf(http.StatusUnprocessableEntity, "There are %d tasks in the batch. Send 1 to %d at a time.", len(items), task.MaxBatch)
	}
	return items, nil
}

// itemOf returns the task that an object of a batch asks for, which may have an
// "idempotencyKey" besides. The error is an api.Problem.
func itemOf(raw json.RawMessage, now time.Time) (task.Submission, error) {
	const keyName = "idempotencyKey"
	object, err := api.Members(raw)
	if err != nil {
		return task.Submission{}, err
	}
	s, err := submissionOf(object, now, keyName)
	if err != nil {
		return task.Submission{}, err
	}
	if raw, ok := object[keyName]; ok {
		var name string
		if err := json.Unmarshal(raw, &name); err != nil || !utf8.ValidString(name) {
			name = "" // and so refused
		}
		s.Key, err = keyNamed(name, s, http.StatusUnprocessableEntity, `The member "`+keyName+`"`)
	}
	return s, err
}
