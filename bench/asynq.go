package main

import (
	"context"
	"encoding/json"
	"os/exec"
	"sync"
	"time"

	"github.com/hibiken/asynq"
)

// asynqSystem is asynq on one Redis. Its servers, which are its workers, are part
// of this process. It forgets a task that is done; how long it is until a task is
// safe is for Redis to say, see appendfsync.
type asynqSystem struct {
	*noop
	o         asynqOptions
	redis     *process
	client    *asynq.Client
	inspector *asynq.Inspector
	workers   []*asynq.Server
}

type asynqOptions struct {
	appendfsync       string        // of Redis, or "off": nothing is written to the disk
	servers           int           // in this process, each of which takes one task at a time from Redis
	taskCheckInterval time.Duration // asynq's setting; 0 is its default, 1 s
}

func newAsynq(o asynqOptions) func(n int) system {
	return func(n int) system { return &asynqSystem{noop: newNoop(n), o: o} }
}

// asynqTask is the type of the tasks.
const asynqTask = "noop"

func (a *asynqSystem) open(ctx context.Context, dir string) error {
	port, err := freePort()
	if err != nil {
		return err
	}
	persistence := []string{"--appendonly", "yes", "--appendfsync", a.o.appendfsync}
	if a.o.appendfsync == "off" {
		persistence = []string{"--appendonly", "no", "--save", ""}
	}
	if a.redis, err = start(exec.Command("redis-server", append([]string{"--bind", "127.0.0.1", "--port", port, "--dir", dir}, persistence...)...)); err != nil {
		return err
	}
	redis := asynq.RedisClientOpt{Addr: "127.0.0.1:" + port, PoolSize: 2 * clients}
	a.client = asynq.NewClient(redis)
	a.inspector = asynq.NewInspector(redis)
	for range a.o.servers {
		a.workers = append(a.workers, asynq.NewServer(redis, asynq.Config{
			Concurrency:       clients,
			TaskCheckInterval: a.o.taskCheckInterval,
			LogLevel:          asynq.ErrorLevel,
		}))
	}
	return ready(ctx, func(context.Context) error { return a.client.Ping() })
}

func (a *asynqSystem) submit(ctx context.Context, i int) error {
	payload, err := json.Marshal(i)
	if err != nil {
		return err
	}
	_, err = a.client.EnqueueContext(ctx, asynq.NewTask(asynqTask, payload))
	return err
}

func (a *asynqSystem) work(context.Context) (time.Time, error) {
	since := time.Now()
	for _, w := range a.workers {
		err := w.Start(asynq.HandlerFunc(func(_ context.Context, t *asynq.Task) error {
			var i int
			if err := json.Unmarshal(t.Payload(), &i); err != nil {
				return err
			}
			a.run(i)
			return nil
		}))
		if err != nil {
			return since, err
		}
	}
	return since, nil
}

func (a *asynqSystem) wait(ctx context.Context) error {
	return a.noop.wait(ctx, func(context.Context) (int, error) {
		info, err := a.inspector.GetQueueInfo("default")
		if err != nil {
			return 0, err
		}
		return info.Size, nil
	})
}

func (a *asynqSystem) servers() []*process { return []*process{a.redis} }

func (a *asynqSystem) close() error {
	var all sync.WaitGroup
	for _, w := range a.workers {
		all.Go(w.Shutdown) // takes about a second
	}
	all.Wait()
	if a.client != nil {
		a.client.Close()
		a.inspector.Close()
	}
	if a.redis != nil {
		a.redis.end()
	}
	return nil
}
