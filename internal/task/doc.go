// Package task is the domain: the record of a task, its statuses and
// transitions, the errors, and the contracts (Store, Queue, DeadLetterQueue,
// Executions, Metrics) that each host fulfils in its own way. It knows no
// technology. Package tasktest holds one conformance suite per contract.
//
//	         submit
//	           │
//	           ▼            claim              finish: success
//	  ┌──▶ PENDING ───────────────▶ PROCESSING ──────────────▶ PROCESSED
//	  │        │                     │  ▲    │
//	  │        │      finish: error  │  │    │ the attempt died and
//	  │        │                     ▼  │    │ nobody tries again
//	  │        │                   FAILED    │
//	  │        │ never started       │       │
//	  │        ▼                     ▼       │
//	  │      ┌─────────────────────────┐     │
//	  └──────┤           DLQ           │◀────┘
//	redrive, └─────────────────────────┘
//	run + 1
//
// A run is one journey from PENDING to a final status under one workflow
// execution, named "{taskId}-{run}". The rules by which a record moves are the
// methods Claim, Finish, MarkDead, Redrive, Restart and Defer of Task: pure
// functions of the record and the request, so that every Store applies the
// same ones.
package task
