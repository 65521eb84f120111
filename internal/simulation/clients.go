package simulation

import (
	"encoding/json"
	"net/http"
	"strconv"
	"strings"
	"time"

	"tasks/internal/api"
	"tasks/internal/task"
)

func quoted(body string) string { return strconv.QuoteToASCII(body) }

// Request sends a request to the system that is simulated. answered is false if
// no answer came: the connection was refused, or lost.
type Request func(method, path, body string) (status int, response string, answered bool)

// Clients use the API.
type Clients struct {
	World   *World
	Checker *Checker
	Request Request
}

// Post has n tasks posted in the coming time, at random moments.
func (c *Clients) Post(n int, within time.Duration) {
	for range n {
		body, err := json.Marshal(map[string]string{"answer": strings.Repeat("forty-two ", 1+c.World.Intn(3)*c.World.Intn(100))})
		if err != nil {
			panic(err) // a string always marshals
		}
		c.World.After(c.World.Between(0, within), func() { go c.post(string(body)) })
	}
}

func (c *Clients) post(body string) {
	status, response, answered := c.Request("POST", "/tasks", body)
	if !answered || status != http.StatusAccepted {
		return
	}
	var accepted api.Accepted
	if err := json.Unmarshal([]byte(response), &accepted); err != nil {
		panic(err) // ours: submit always answers so
	}
	c.Checker.Accepted(accepted.TaskID)
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
			go c.Request("POST", "/tasks/"+string(id)+"/redrive", "")
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
		_, response, _ := c.Request("GET", path, "")
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
