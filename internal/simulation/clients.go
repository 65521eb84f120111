package simulation

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
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
// idempotency keys, and some of those twice.
func (c *Clients) Post(n int, within time.Duration) {
	w := c.World
	for range n {
		key, answer, at := "", strings.Repeat("forty-two ", 1+w.Intn(3)*w.Intn(100)), w.Between(0, within)
		if w.Chance(0.5) {
			c.keys++
			key = fmt.Sprintf("key %d", c.keys)
			answer = KeyedAnswer(key, answer)
		}
		body, err := json.Marshal(map[string]string{"answer": answer})
		if err != nil {
			panic(err) // a string always marshals
		}
		w.After(at, func() { go c.post(key, string(body)) })
		if key != "" && w.Chance(0.3) {
			w.After(at+w.Between(0, time.Second), func() { go c.post(key, string(body)) })
		}
	}
}

func (c *Clients) post(key, body string) {
	for n := 1; ; n++ {
		status, response, answered := c.Request("POST", "/tasks", key, body)
		if answered && status == http.StatusAccepted {
			var accepted api.Accepted
			if err := json.Unmarshal([]byte(response), &accepted); err != nil {
				panic(err) // ours: submit always answers so
			}
			c.Checker.Accepted(accepted.TaskID, key)
			return
		}
		if key == "" || n == maxPosts {
			return
		}
		c.World.Park(context.Background(), "the client of "+key, func() time.Duration { return c.World.Between(0, 10*time.Second) })
	}
}

// Redrive has dead tasks redriven n times in the coming time, and at times a
// task that is not dead.
func (c *Clients) Redrive(n int, within time.Duration) {
	for range n {
		c.World.After(c.World.Between(0, within), func() {
			dead := c.Checker.Dead()
			if len(dead) == 0 {
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
