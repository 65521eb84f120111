package task

import (
	"crypto/sha256"
	"time"
)

// Limits of an idempotency key.
const (
	// MaxKeyLength bounds a key, in characters.
	MaxKeyLength = 255
	// KeyLife is how long a key is kept after its task was created. Then it is free
	// for another.
	KeyLife = 24 * time.Hour
)

// IdempotencyKey is a client's name for a request that is done once, however often
// it is sent: see Store.Create.
type IdempotencyKey struct {
	Name string // 1 to MaxKeyLength printable characters of ASCII
	// Request is a digest of what is asked for: the same name may not ask for
	// anything else.
	Request [sha256.Size]byte
}

// ValidKey tells whether name can be an idempotency key's.
func ValidKey(name string) bool {
	if name == "" || len(name) > MaxKeyLength {
		return false
	}
	for i := range len(name) {
		if name[i] < ' ' || name[i] > '~' {
			return false
		}
	}
	return true
}

// Digest returns what stands for the name in storage.
func (k IdempotencyKey) Digest() [sha256.Size]byte { return sha256.Sum256([]byte(k.Name)) }
