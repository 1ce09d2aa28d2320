# Targets for people; `make help` lists them.

GO ?= go
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
OUT ?= out
CORPORA ?= ../shared/corpora

.DEFAULT_GOAL := help

.PHONY: help
help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sort | awk -F ':.*## ' '{printf "  %-16s %s\n", $$1, $$2}'

.PHONY: build
build: ## Build the binary into bin/
	$(GO) build -o bin/remediator ./cmd/remediator

# Skipped under the race detector, which makes them take minutes.
DATA_TESTS = ^(TestPublicIncidents|TestHealthyHalvesNameNobody|TestBundles)$$

.PHONY: test
test: ## Run all tests with the race detector, and what reads much data without; what is skipped says what was missing
	@mkdir -p $(OUT)
	@echo "$(GO) test -race ./... (everything it prints is in $(OUT)/test.log)"
	@$(GO) test -race -timeout 60m -v ./... >$(OUT)/test.log 2>&1; status=$$?; \
	 $(GO) test -timeout 20m -v -run '$(DATA_TESTS)' ./localize ./examples/shop >>$(OUT)/test.log 2>&1 || status=1; \
	 grep -E '^(ok|FAIL|panic:|fatal error:)|\[build failed\]|^# ' $(OUT)/test.log; \
	 if grep -q -- '--- SKIP' $(OUT)/test.log; then echo; echo "skipped:"; grep -B2 -- '--- SKIP' $(OUT)/test.log | grep -v -E '^(=== |--$$)'; fi; \
	 if [ $$status -ne 0 ]; then echo; echo "failures:"; grep -B40 -E -- '--- FAIL|^panic:' $(OUT)/test.log | grep -v -E '^=== (RUN|PAUSE|CONT|NAME)|--- PASS' | tail -300; fi; exit $$status

.PHONY: lint
lint: ## gofmt, go vet and staticcheck
	@unformatted=$$(gofmt -l $$(git ls-files '*.go')); test -z "$$unformatted" || { echo "not gofmt clean:"; echo "$$unformatted"; exit 1; }
	$(GO) vet ./...
	$(GO) run $(STATICCHECK) ./...

.PHONY: demo
demo: ## Show the whole path on a recorded incident
	$(GO) run ./cmd/remediator demo --out $(OUT)/demo

.PHONY: demo-all
demo-all: python-env ## Run every recorded incident; say which end in a pull request and which are declined
	PATH="$(abspath $(OUT))/python/bin:$$PATH" $(GO) run ./cmd/remediator demo --all --out $(OUT)/demo-all

.PHONY: python-env
python-env: ## Make the environment of the sample shop's Python service
	examples/shop/python-env $(OUT)/python

.PHONY: test-live
test-live: ## Tests that need what is built once, outside the repository (cosign, act, internal/sources/install-jaeger and install-loki), or Debian's prometheus and prometheus-alertmanager
	REMEDIATOR_LIVE=1 $(GO) test -count 1 -timeout 60m -run 'Live|Cosign|InAWorkflow' ./...

.PHONY: test-model
test-model: ## Tests with a real language model; internal/llm/install-model installs it outside the repository
	$(GO) test -count 1 -timeout 20m -v -run RealModel ./internal/llm ./cmd/remediator

.PHONY: test-kubernetes
test-kubernetes: ## Let a real API server (built once, five minutes) judge the manifests, and read roll-outs from it; needs etcd
	REMEDIATOR_KUBERNETES=1 $(GO) test -count 1 -timeout 30m ./deploy/kubernetes
	REMEDIATOR_KUBERNETES=1 $(GO) test -count 1 -timeout 30m -run LiveKubernetes ./internal/sources

.PHONY: bench
bench: ## Run the benchmarks behind docs/benchmarks.md
	$(GO) test -run '^$$' -bench . -benchtime 1s ./telemetry ./localize ./codeindex ./patch ./policy ./replay ./internal/queue ./internal/otlp ./internal/alerthook
	$(GO) run ./cmd/remediator bench --drain3 "$$(internal/benchmark/install-drain3)"

.PHONY: eval
eval: ## Measure the ranking on the public corpora, recorded and made-up incidents; writes docs/localization
	$(GO) run ./cmd/remediator eval $(foreach c,nezha rootcausebench jaeger-skills loghub-2k crisp jaeger-traces,--corpus $(CORPORA)/$(c)) \
	  --bundles testdata/incidents --simulate 100 --seed 100001 --all --pages docs/localization

.PHONY: calibrate
calibrate: ## Fit the confidence to the corpora and to made-up incidents that make eval does not use; for localize/calibration.go
	$(GO) run ./cmd/remediator eval $(foreach c,nezha rootcausebench jaeger-skills,--corpus $(CORPORA)/$(c)) \
	  --bundles testdata/incidents --simulate 90 --seed 200001 --calibrate

.PHONY: fuzz
fuzz: ## Run every fuzz target for ten seconds
	@for p in $$($(GO) list ./...); do for t in $$($(GO) test -list '^Fuzz' $$p | grep ^Fuzz); do \
	  echo "$$p $$t"; $(GO) test -run '^$$' -fuzz "^$$t$$" -fuzztime 10s -fuzzminimizetime 200x $$p || exit 1; done; done
