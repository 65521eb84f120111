// Package cloud is AWS as the functions see it, in memory and in the virtual
// time of package simulation: a mock, of what the services' documentation
// promises and of what it does not promise. It runs the functions' handlers, and
// the state machine on package asl; it speaks none of the services' protocols
// (the adapters are tested against emulators).
//
//	lambda.go         invocations: time-outs, deaths at any call, answers that get lost
//	service.go        calls from functions: that fail, or have an effect and fail, or have it later
//	sqs.go            queues: at least once, in no order, with a redrive policy; their mappings
//	stepfunctions.go  executions: STANDARD's names are taken for 90 days, EXPRESS may run twice
//	dynamodb.go       the table: consistent, with an index that lags
//	cloud.go          the system that template.yaml makes of them
package cloud
