// Package api is what the HTTP functions share: the routes, strict reading of
// requests, the JSON of tasks, page tokens, and problems (RFC 9457). A request
// and a response are API Gateway's, payload format 2.0, on both hosts.
package api
