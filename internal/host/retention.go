package host

import (
	"context"
	"time"

	"tasks/internal/task"
)

// removeEvery is how often expired tasks are removed: what DynamoDB does by its
// TTL.
const removeEvery = time.Hour

// removeExpired removes expired tasks until intake is done.
func (h *Host) removeExpired(intake context.Context) {
	ticker := time.NewTicker(removeEvery)
	defer ticker.Stop()
	for {
		removed, err := h.db.RemoveExpired(intake, task.At(h.db.Now()), h.retention)
		if err != nil && intake.Err() == nil {
			h.log.Warn("expired tasks not removed, tried again later", "error", err)
		}
		if removed > 0 {
			h.log.Info("expired tasks removed", "count", removed)
		}
		select {
		case <-ticker.C:
		case <-intake.Done():
			return
		}
	}
}
