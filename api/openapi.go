// Package openapi holds the description of the API, which is served with it.
package openapi

import _ "embed"

// Description is openapi.yaml.
//
//go:embed openapi.yaml
var Description string
