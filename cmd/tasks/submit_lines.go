package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/google/uuid"
	"github.com/schollz/progressbar/v3"

	"tasks/internal/api"
	"tasks/internal/client"
	"tasks/internal/task"
)

// maxBatchBytes bounds the answers of a batch, so that its body has less than
// api.MaxBodyBytes even if some of them have to be escaped; a longer answer goes
// alone.
const maxBatchBytes = api.MaxBodyBytes / 8

// lines submits one task a line.
type lines struct {
	c      *cli
	client *client.Client
	task   client.Submission // what all have in common
	key    string            // the beginning of each one's idempotency key
	bar    *progressbar.ProgressBar

	accepted, replayed, refused int
	reused                      bool // a line was refused because its key is that of another request
}

// lineResult is what became of a line, as --json prints it.
type lineResult struct {
	Line int `json:"line"`
	api.BatchResult
}

// submitLines submits a task for each line of a file, or of standard input if that
// is "-". What all have in common is in the submission.
func (c *cli) submitLines(ctx context.Context, path string, common client.Submission) error {
	in, size := c.in, int64(-1)
	key := common.IdempotencyKey
	if path != "-" {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		info, err := file.Stat()
		if err != nil {
			return err
		}
		in, size = file, info.Size()
		if key == "" { // the same for the same file, so that it can be submitted again
			sum := sha256.New()
			if _, err := io.Copy(sum, file); err != nil {
				return err
			}
			if _, err := file.Seek(0, io.SeekStart); err != nil {
				return fmt.Errorf("%s can't be read twice, so give it an --idempotency-key: %w", path, err)
			}
			key = hex.EncodeToString(sum.Sum(nil)[:16])
		}
	}
	cl, err := c.client(ctx, 1)
	if err != nil {
		return err
	}
	l := &lines{c: c, client: cl, task: common, key: cmp.Or(key, uuid.NewString()), bar: c.progressBar(int(size), "submitting", inBytes...)}
	err = l.submit(ctx, in)
	_ = l.bar.Clear()
	if !c.json {
		c.out.printf("%s accepted, %d of them before, %d refused\n", plural(l.accepted, "task", "tasks"), l.replayed, l.refused)
	}
	switch {
	case err != nil:
		return fmt.Errorf("%w; to go on where it stopped, run it again with --idempotency-key %q: no line becomes two tasks within a day", err, l.key)
	case l.reused && common.IdempotencyKey == "":
		return fmt.Errorf("%s refused; the file was submitted with other options within a day: --idempotency-key %q submits it once more", plural(l.refused, "line was", "lines were"), uuid.NewString())
	case l.refused > 0:
		return fmt.Errorf("%s refused", plural(l.refused, "line was", "lines were"))
	}
	return nil
}

// numbered is a submission and the line that it is from.
type numbered struct {
	client.Submission
	line int
}

func (l *lines) submit(ctx context.Context, in io.Reader) error {
	scanner := bufio.NewScanner(in)
	scanner.Buffer(make([]byte, 64<<10), len("\ufeff")+task.MaxAnswerBytes+len("\r\n"))
	var batch []numbered
	size, number := 0, 0
	for scanner.Scan() {
		number++
		line := scanner.Bytes()
		if number == 1 { // some editors begin a file with its byte order mark
			line = bytes.TrimPrefix(line, []byte("\ufeff"))
		}
		switch {
		case len(line) == 0:
			continue
		case len(line) > task.MaxAnswerBytes:
			return fmt.Errorf("line %d is longer than %d bytes", number, task.MaxAnswerBytes)
		case !utf8.Valid(line):
			return fmt.Errorf("line %d is not UTF-8", number)
		}
		if len(batch) == task.MaxBatch || len(batch) > 0 && size+len(line) > maxBatchBytes {
			if err := l.send(ctx, batch); err != nil {
				return err
			}
			batch, size = nil, 0
		}
		s := l.task
		s.Answer, s.IdempotencyKey = string(line), fmt.Sprintf("%s:%d", l.key, number)
		batch, size = append(batch, numbered{s, number}), size+len(line)
	}
	if err := scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
		return fmt.Errorf("line %d is longer than %d bytes", number+1, task.MaxAnswerBytes)
	} else if err != nil {
		return err
	}
	return l.send(ctx, batch)
}

// send submits a batch. What the server fails at, or puts off, is sent again, for
// putOffFor at most.
func (l *lines) send(ctx context.Context, batch []numbered) error {
	deadline := time.Now().Add(putOffFor)
	for delay := 100 * time.Millisecond; len(batch) > 0; delay = min(2*delay, 5*time.Second) {
		submissions := make([]client.Submission, len(batch))
		for i, s := range batch {
			submissions[i] = s.Submission
		}
		results, err := untilAnswered(ctx, func() ([]api.BatchResult, error) { return l.client.SubmitBatch(ctx, submissions) }, l.c.tellPutOff)
		if err != nil {
			return err
		}
		var again []numbered
		for i, result := range results {
			if result.Status >= http.StatusInternalServerError && time.Now().Before(deadline) {
				again = append(again, batch[i])
			} else if err := l.count(batch[i], result); err != nil {
				return err
			}
		}
		if batch = again; len(batch) > 0 && pause(ctx, delay) != nil {
			return ctx.Err()
		}
	}
	return nil
}

// count counts and tells what became of a line.
func (l *lines) count(s numbered, result api.BatchResult) error {
	_ = l.bar.Add(len(s.Answer) + 1)
	if result.Status == http.StatusAccepted {
		l.accepted++
		if result.Replayed {
			l.replayed++
		}
	} else {
		l.refused++
		l.reused = l.reused || strings.Contains(result.Detail, "idempotency key")
	}
	if l.c.json {
		return l.c.out.json(lineResult{s.line, result})
	}
	if result.Status != http.StatusAccepted {
		_ = l.bar.Clear()
		l.c.errOut.printf("line %d: %d %s\n", s.line, result.Status, printable(result.Detail))
	}
	return nil
}
