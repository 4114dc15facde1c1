# Millrace. `make` alone lists what there is to do. Each target installs what it lacks
# (as root on Debian or Ubuntu; otherwise it prints the command and stops) and does
# nothing twice.

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
.DELETE_ON_ERROR:
.NOTPARALLEL:
MAKEFLAGS += --no-builtin-rules

# Where the Go installer puts it; root's PATH often lacks it.
export PATH := $(PATH):/usr/local/go/bin
# A clone that another user owns makes git refuse, and with it Go's own stamping.
export GOFLAGS += -buildvcs=false

VERSION ?= $(shell git describe --tags --always --dirty 2>/dev/null || echo devel)
TEST_TIMEOUT ?= 30m
RACE_TIMEOUT ?= 40m
FUZZTIME ?= 60s
SOAK ?= 30m

UI := core/web/ui
# Folders are listed as well: their time changes when a file goes away.
UI_SOURCES := $(shell find $(UI) -mindepth 1 \( -name node_modules -o -name dist -o -name '*.go' \) -prune -o -print)
UI_INSTALLED := $(UI)/node_modules/.millrace-installed
UI_BUILT := $(UI)/node_modules/.millrace-built

SCRIPTS := $(filter-out .ci/tools,$(wildcard .ci/*))
GO_SOURCES = $$(find . -name node_modules -prune -o -name '*.go' -print)

.PHONY: help
help: ## List the targets (this one is the default)
	@awk -F ':.*## ' '/^[a-z]+:.*## / { printf "  make %-9s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

.PHONY: run
run: build ## Build everything and start the server with conf/millrace.toml
	bin/millrace serve -c conf/millrace.toml

.PHONY: build
build: go ui ## Build the pages and every program into bin/
	CGO_ENABLED=0 go build -trimpath -ldflags '-X main.version=$(VERSION)' -o bin/ ./cmd/...

.PHONY: test
test: go need-test ui node ## Run all tests, end-to-end ones with real clients included (long ones: make browsers, make long)
	go test -timeout $(TEST_TIMEOUT) ./...

.PHONY: browsers
browsers: go need-test ui ## Run the long tests: HLS in all its forms in Chromium, low latency, thousands of parked requests
	MILLRACE_TEST_LONG=1 go test -count=1 -v -timeout $(TEST_TIMEOUT) -run 'Chromium|LowLatency|Parked' ./cmd/millrace

.PHONY: long
long: go need-test ui ## Run the recorders at full size: kills under 1,000 viewers, 20 streams, 20 swaps, 10 hours merged
	MILLRACE_TEST_LONG=1 go test -count=1 -v -timeout $(TEST_TIMEOUT) -run '^TestLong' ./cmd/millrace ./plugins/fmp4

.PHONY: race
race: go need-race ui node ## Run all tests under the race detector
	CGO_ENABLED=1 go test -race -timeout $(RACE_TIMEOUT) ./...

.PHONY: lint
lint: go need-lint ui ## Check format, code, scripts, examples, links, modules and import arrows
	@echo '+ gofmt -l'; list=$$(gofmt -l $(GO_SOURCES)); [ -z "$$list" ] || { echo "not formatted: $$list"; exit 1; }
	go vet ./...
	go tool -modfile=.ci/tools/go.mod staticcheck ./...
	cd $(UI) && npm run --silent check
	for script in $(SCRIPTS); do bash -n $$script; done
	shellcheck $(SCRIPTS)
	go -C .ci/tools vet ./...
	go -C .ci/tools tool staticcheck ./...
	go -C .ci/tools run ./dockerlint -context $(CURDIR) $(CURDIR)/examples/docker/Dockerfile $(CURDIR)/examples/docker/compose.yaml
	.ci/unit examples/systemd/millrace.service
	.ci/links
	.ci/proto
	go -C .ci/tools test ./protolint
	go mod verify
	go -C .ci/tools mod verify
	go test -count=1 core/arrows_test.go

.PHONY: fuzz
fuzz: go ui ## Run each fuzz target for FUZZTIME (60s)
	FUZZTIME=$(FUZZTIME) .ci/fuzz

.PHONY: soak
soak: go need-test ui ## Run the server under random use for SOAK (30m); SOAK_SEED=N replays
	MILLRACE_TEST_SOAK=$(SOAK) MILLRACE_TEST_SOAK_SEED=$(SOAK_SEED) go test -count=1 -v -timeout 0 -run '^TestSoak$$' ./cmd/millrace

.PHONY: bench
bench: build ## Measure the server against the floor and nginx (FULL=1: two hours), then the parts
	@.ci/deps bench
	bin/millrace bench compare $(if $(FULL),-full)
	go test -run '^$$' -bench . -benchmem ./core/...

.PHONY: clean
clean: ## Remove what was built and installed in this folder
	rm -rf bin $(UI)/node_modules $(NODE_FOLDERS:%=%/node_modules)
	find $(UI)/dist -mindepth 1 ! -name .keep -delete

.PHONY: go
go:
	@command -v go >/dev/null || { echo 'Go is not installed: get 1.26 or later from https://go.dev/dl/' >&2; exit 1; }

# Asked before anything is built, so that all that is missing is named at once.
.PHONY: need-test need-race need-lint
need-test:
	@.ci/deps ui test
need-race:
	@.ci/deps ui test race
need-lint:
	@.ci/deps ui lint

.PHONY: ui
ui: $(UI_BUILT)

# Folders of tests with Node.js packages of their own: the example of a plugin, and FFmpeg 8.
NODE_FOLDERS := examples/plugin-node cmd/millrace/testdata/node-av
NODE_INSTALLED := $(NODE_FOLDERS:%=%/node_modules/.millrace-installed)

.PHONY: node
node: $(NODE_INSTALLED)

$(NODE_INSTALLED): %/node_modules/.millrace-installed: %/package-lock.json
	@.ci/deps ui
	cd $* && npm ci --no-audit --no-fund
	@touch $@

.PHONY: force
force:

$(UI_INSTALLED): $(UI)/package-lock.json
	@.ci/deps ui
	cd $(UI) && npm ci --no-audit --no-fund
	@touch $@

# Built again when a source changed, or when somebody removed the result.
$(UI_BUILT): $(UI_INSTALLED) $(UI_SOURCES) $(if $(wildcard $(UI)/dist/index.html),,force)
	@.ci/deps ui
	cd $(UI) && npm run --silent build
	@touch $@
