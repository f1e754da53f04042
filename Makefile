# `make` lists what there is. Everything here also runs in CI (.ci/run), so what is green here is green there.
.DEFAULT_GOAL := help
SHELL := bash
.SHELLFLAGS := -euo pipefail -c

GO       ?= go
TOOL     := $(GO) tool -modfile=tools/go.mod
TESTFLAGS ?=
FUZZTIME ?= 30s
BENCH    ?= .
CASES    ?= .
BANKING77 ?=
MISTAKES ?= 0

help: ## list the targets
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / {printf "  %-10s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

run: ## start the hub with the demo tenant
	$(GO) run ./cmd/parley serve --demo

test: ## run every test, on real Redis, PostgreSQL and Chromium (installs what is missing, or names it)
	scripts/services run -- $(MAKE) --no-print-directory vet test-web test-image test-e2e test-go

race: ## run the Go tests, and the hubs that they start, with the race detector (needs a C compiler; about an hour)
	PARLEY_TEST_BUILD=-race GORACE=halt_on_error=1 scripts/services run -- $(GO) test -race -timeout 60m $(TESTFLAGS) ./...

e2e: ## run only the browser tests
	scripts/services run -- $(MAKE) --no-print-directory test-e2e

lint: web/node_modules ## check style: Go, TypeScript, shell, Dockerfile
	$(TOOL) golangci-lint run ./...
	$(GO) run -C tools/dockerlint . ../../Dockerfile
	cd web && npm run --silent lint
	if command -v shellcheck >/dev/null; then shellcheck scripts/* .ci/run; \
	else echo 'lint: shell scripts were not checked: shellcheck is not installed' >&2; fi

generate: ## write the generated Go and TypeScript files anew
	$(GO) generate ./...

web: web/node_modules ## build the pages into web/dist, which is committed
	cd web && npm run --silent build

verify: ## fail if a generated file or web/dist is not what its source says
	scripts/verify $(MAKE) --no-print-directory generate web

fuzz: ## fuzz each target for FUZZTIME (30s)
	scripts/fuzz $(FUZZTIME)

chaos: build ## run the crash campaign (about a quarter of an hour) and print its table; CASES=regexp picks cases
	scripts/services install
	$(GO) run ./chaos/campaign -binary build/parley -cases '$(CASES)'

bench: ## run the benchmarks that match BENCH (all), with allocations
	scripts/services run -- $(GO) test -run '^$$' -bench '$(BENCH)' -benchmem ./...

detection: ## measure what trackers and the rules bot find in BANKING77, a folder with train.csv; fails if a goal is missed (docs/detection.md)
	$(GO) run ./insight/text/detection -banking77 '$(BANKING77)' -mistakes $(MISTAKES)

services: ## start Redis and PostgreSQL for tests by hand; `scripts/services stop` stops them
	scripts/services start

build: ## build the static binary build/parley, as the Dockerfile does
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o build/parley ./cmd/parley

# ---- parts of the above; they expect the variables of scripts/services ----

vet:
	$(GO) vet ./...

test-go:
	$(GO) test $(TESTFLAGS) ./...

test-web: web/node_modules
	cd web && npm run --silent check && npm run --silent test

test-image: build
	scripts/try-image build/parley

test-e2e: web/node_modules build
	cd web && PARLEY_BINARY=$(CURDIR)/build/parley npm run --silent e2e

# npm writes this file last, so it is as old as the installation. Not npm ci: that wants the optional packages of every
# platform in the lock file, and registries that serve only some of them cannot give those. With --no-save the lock file
# stays as it is, and so do the versions.
web/node_modules: web/node_modules/.package-lock.json
web/node_modules/.package-lock.json: web/package.json web/package-lock.json
	cd web && npm install --no-save --no-audit --no-fund
	touch $@

.PHONY: help run test race e2e lint generate web verify fuzz chaos bench detection services build vet test-go test-web test-image test-e2e web/node_modules
