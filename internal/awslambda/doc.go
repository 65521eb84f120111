// Package awslambda is the boundary between a handler and the Lambda runtime:
// how a function starts, what becomes of its errors, and how much of an
// invocation's time it may use.
package awslambda
