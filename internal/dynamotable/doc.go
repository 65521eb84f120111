// Package dynamotable keeps task records in one DynamoDB table.
//
// The table's partition key is pk (a string), and its time to live expiresAt:
//
//	a task's record     pk = the task id
//	its answer's rest   pk = "answer#" + the task id
//	an idempotency key  pk = "key#" + the digest of its name
//	a quarantined part  pk = "quarantine#" + the message id + "#" + its number
//	the counts          pk = "counts"
//
// A record has all of a task's fields, but of an answer of more than maxInlineAnswer
// bytes only the head, because a write costs by the size of the whole item: the rest
// is an item of its own, written once, before the record, and read with it.
//
// A task with an idempotency key is written together with it, in one transaction
// that holds only while the key is free. Whoever loses finds the key held, and by
// which task.
//
// The index byClass (keys only) has the partition key class, which is "open",
// "done" or "dead" and one of 16 shards of the id, and the sort key pk. An entry
// moves when a task is done or dead, and when it is redriven; ids sort by time,
// so that a listing is a merge of the shards.
//
// Each write of a record sets rev, a random text, and holds only for the rev
// that was read. The writes of a task's usual way (first claim, each finish)
// don't read the record: they guess it, and hold only if the guess is right. A
// write that fails brings back the record as it is, and the next one is made
// from that. If its rev is the writer's own, the write had succeeded before: the
// answer was lost, and the request was sent again. (Should yet another writer have
// come between the two, the transition is applied once more, which is what it is
// made for: a claim and an outcome are known by their token, a second mark is a
// duplicate, a second redrive a conflict, and a second deferral does no harm.)
package dynamotable
