package simulation

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"tasks/internal/api"
	"tasks/internal/task"
)

func quoted(body string) string { return strconv.QuoteToASCII(body) }

// Request sends a request to the system that is simulated, with an idempotency key
// unless that is "". answered is false if no answer came: the connection was
// refused, or lost.
type Request func(method, path, key, body string) (status int, response string, answered bool)

// Clients use the API.
type Clients struct {
	World   *World
	Checker *Checker
	Request Request

	keys int // how many idempotency keys were used
}

// maxPosts is how often a client sends a request at most until it is answered with
// 202, if it has an idempotency key.
const maxPosts = 5

// Post has n tasks posted in the coming time, at random moments: half of them with
// idempotency keys, and some of those twice; some with a delay, some in batches.
func (c *Clients) Post(n int, within time.Duration) {
	w := c.World
	for n > 0 {
		items := []posted{c.item()}
		n--
		isBatch := w.Chance(0.2)
		for isBatch && n > 0 && w.Chance(0.6) {
			items = append(items, c.item())
			n--
		}
		at := w.Between(0, within)
		w.After(at, func() { go c.post(items, isBatch) })
		if items[0].key != "" && w.Chance(0.3) {
			w.After(at+w.Between(0, time.Second), func() { go c.post(items, isBatch) })
		}
	}
}

// posted is a task that a client asks for.
type posted struct {
	key    string // "" for none
	object map[string]any
}

func (c *Clients) item() posted {
	w := c.World
	answer := strings.Repeat("forty-two ", 1+w.Intn(3)*w.Intn(100))
	p := posted{object: map[string]any{}}
	if w.Chance(0.5) {
		c.keys++
		p.key = fmt.Sprintf("key %d", c.keys)
		answer = KeyedAnswer(p.key, answer)
	}
	p.object["answer"] = answer
	if w.Chance(0.2) {
		p.object["delaySeconds"] = 1 + w.Intn(900)
	}
	return p
}

func (c *Clients) post(items []posted, isBatch bool) {
	for n := 1; ; n++ {
		items = c.send(items, isBatch)
		items = slices.DeleteFunc(slices.Clone(items), func(p posted) bool { return p.key == "" }) // it may have been accepted
		if len(items) == 0 || n == maxPosts {
			return
		}
		c.World.Park(context.Background(), "the client of "+items[0].key, func() time.Duration { return c.World.Between(0, 10*time.Second) })
	}
}

// send sends a request and returns what was not accepted, as far as the client
// knows.
func (c *Clients) send(items []posted, isBatch bool) (left []posted) {
	if !isBatch {
		status, response, answered := c.Request("POST", "/tasks", items[0].key, marshal(items[0].object))
		if !answered || status != http.StatusAccepted {
			return items
		}
		var accepted api.Accepted
		unmarshal(response, &accepted)
		c.Checker.Accepted(accepted.TaskID, items[0].key)
		return nil
	}
	var objects []any
	for _, p := range items {
		object := maps.Clone(p.object)
		if p.key != "" {
			object["idempotencyKey"] = p.key
		}
		objects = append(objects, object)
	}
	status, response, answered := c.Request("POST", "/tasks/batch", "", marshal(map[string]any{"tasks": objects}))
	if !answered || status != http.StatusOK {
		return items
	}
	var batch api.Batch
	unmarshal(response, &batch)
	for i, result := range batch.Results {
		if result.Status == http.StatusAccepted {
			c.Checker.Accepted(result.TaskID, items[i].key)
		} else {
			left = append(left, items[i])
		}
	}
	return left
}

func marshal(v any) string {
	b, err := json.Marshal(v)
	if err != nil {
		panic(err) // strings and numbers always marshal
	}
	return string(b)
}

func unmarshal(response string, v any) {
	if err := json.Unmarshal([]byte(response), v); err != nil {
		panic(err) // ours: the functions always answer so
	}
}

// Redrive has dead tasks redriven n times in the coming time, one or all of them,
// and at times a task that is not dead.
func (c *Clients) Redrive(n int, within time.Duration) {
	for range n {
		c.World.After(c.World.Between(0, within), func() {
			dead := c.Checker.Dead()
			if len(dead) == 0 {
				return
			}
			if c.World.Chance(0.3) {
				c.World.Record("redrive all")
				go c.Request("POST", "/tasks/redrive", "", "{}")
				return
			}
			id := dead[c.World.Intn(len(dead))]
			c.World.Record("redrive %s", c.Checker.Name(id))
			go c.Request("POST", "/tasks/"+string(id)+"/redrive", "", "")
		})
	}
}

// All returns all tasks, by reading the listing page by page, and then each.
func (c *Clients) All() (map[task.ID]bool, error) {
	listed := map[task.ID]bool{}
	for token := ""; ; {
		path := "/tasks?limit=7"
		if token != "" {
			path += "&nextToken=" + token
		}
		_, response, _ := c.Request("GET", path, "", "")
		var list api.List
		if err := json.Unmarshal([]byte(response), &list); err != nil {
			return nil, err
		}
		for _, t := range list.Tasks {
			listed[t.TaskID] = true
		}
		if token = list.NextToken; token == "" {
			return listed, nil
		}
	}
}
