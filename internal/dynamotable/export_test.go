package dynamotable

// For the tests.
const (
	MaxInlineAnswer = maxInlineAnswer
	HeadOfLarge     = headOfLarge
	PerShard        = perShard
)

// For the tests.
var (
	ShardOf = shardOf
	ClassOf = classOf
)

// ExpectLarge has the next claim expect a large answer.
func (t *Table) ExpectLarge() { t.lastWasLarge.Store(true) }
