# What the README's commands call. `make` alone prints this list.

SHELL := /bin/bash
.DEFAULT_GOAL := help

# The Swift toolchain: from PATH, else where its container images and our machines keep it.
ifeq ($(shell command -v swift 2>/dev/null),)
export PATH := /opt/swift/usr/bin:$(PATH)
endif
# A crash report of the test runner costs minutes of symbolication on a small machine; the exit status is enough.
export SWIFT_BACKTRACE := enable=no

SWIFT_JOBS ?= $(shell nproc)
RELEASE := swift build -c release --static-swift-stdlib --product signalbox -j $(SWIFT_JOBS)

.PHONY: help run build test lint gates tsan soak simulate bench bench-store micro clean

help: ## print this list
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "make %-11s %s\n", $$1, $$2 }' $(firstword $(MAKEFILE_LIST))

run: build ## start the gateway with --dev and demo tasks that move; prints the addresses to open
	@scripts/run-demo.sh

build: ## build .build/release/signalbox, with the Swift runtime inside
	@scripts/install-system-packages.sh build
	$(RELEASE)

test: build ## run everything: unit tests, end-to-end tests, Autobahn; installs what it needs (quarter of an hour on 2 cores)
	@scripts/test.sh

lint: ## check the formatting of every Swift file, and that what is embedded is up to date
	swift format lint --strict --parallel --recursive Package.swift Sources Tests
	@scripts/install-system-packages.sh lint
	python3 scripts/embed-dashboard.py --check
	python3 scripts/embed-openapi.py --check

gates: build ## count instructions, allocations, system calls and bytes against Benchmarks/gates.json; UPDATE=1 sets the bounds
	@scripts/install-system-packages.sh gates
	python3 Benchmarks/check_gates.py $(if $(UPDATE),--update)

tsan: ## run unit tests and a live load under the thread sanitizer
	@scripts/install-system-packages.sh build test
	@scripts/tsan.sh

soak: build ## run all 517 Autobahn cases (10 minutes)
	@scripts/install-system-packages.sh test
	python3 Tests/ConformanceTests/autobahn/run.py --all

simulate: ## run whole gateways through crashes and failures: SEEDS=10000 of them (FIRST=0), or SEED=87 alone with a trace
	@scripts/install-system-packages.sh build
	@scripts/simulate.sh

bench: build ## measure against the ceilings into Benchmarks/Results; QUICK=1 takes three minutes
	python3 Benchmarks/run.py $(if $(QUICK),--quick)
	$(if $(QUICK),,python3 Benchmarks/micro.py)

bench-store: build ## measure the store's aims (durable ends, write-behind, start, resume) into Benchmarks/Results; QUICK=1 is shorter
	python3 Benchmarks/store.py $(if $(QUICK),--quick)

micro: ## measure small pieces (frames, JSON, mailbox, timers) by ns and instructions into Benchmarks/Results
	@scripts/install-system-packages.sh build gates
	python3 Benchmarks/micro.py

clean: ## remove everything that was built or installed inside the project
	rm -rf .build .build-simulate .venv .tools reports
