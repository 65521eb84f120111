package monitor

import (
	"fmt"
	"strconv"
	"time"
)

// Config is what the function reads from its environment on either host.
type Config struct {
	// Retention is how long a dead task, or a message that could not be
	// parsed, is kept, in whole days: RETENTION_DAYS.
	Retention time.Duration
}

// LoadConfig reads the configuration.
func LoadConfig(getenv func(string) string) (Config, error) {
	days, err := strconv.Atoi(getenv("RETENTION_DAYS"))
	if err != nil || days < 1 || days > 3650 {
		return Config{}, fmt.Errorf("RETENTION_DAYS is %q: want a whole number from 1 to 3650", getenv("RETENTION_DAYS"))
	}
	return Config{Retention: time.Duration(days) * 24 * time.Hour}, nil
}
