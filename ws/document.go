package ws

import _ "embed"

// Document is the contract of sessions, in AsyncAPI 3. Its examples are run against the server.
//
//go:embed asyncapi.yaml
var Document []byte
