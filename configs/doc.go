// Package configs has one struct per thing that is configured, and the example files. Flags, environment (PARLEY_<FLAG>)
// and parley.yaml are read here and nowhere else; each setting's help says its unit and what it is for.
package configs
