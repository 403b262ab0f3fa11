# What can be done here. `make` alone prints the list; the machine needs Go and make, and a C compiler for the race detector.

VERSION := $(or $(shell git describe --tags --always --dirty 2>/dev/null),v0.0.0)
# Without a C compiler the tests run all the same, only without the race detector.
RACE    := $(if $(shell command -v $$(go env CC) 2>/dev/null),-race)
LINT    := v2.15.0
# The commit is stamped where git can tell it; elsewhere (an archive, a tree of another user) go build would refuse.
STAMP   := $(if $(shell git rev-parse HEAD 2>/dev/null),true,false)

.PHONY: help build test demo dev fuzz stray bench peerbench chaos mutants lint clean
help: ## print this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

build: ## bin/protocolq, stripped, with its version
	CGO_ENABLED=0 go build -trimpath -buildvcs=$(STAMP) -ldflags '-s -w -X main.version=$(VERSION)' -o $(or $(OUT),bin/protocolq) ./cmd/protocolq

test: ## vet, then every test under the race detector
	go vet ./...
	go test $(RACE) -timeout 10m -parallel 6 $(TESTFLAGS) ./...

demo: ## a file of queries through the whole pipeline, everything embedded
	go run ./cmd/protocolq demo

dev: ## the same pipeline, which stays until Ctrl-C
	go run ./cmd/protocolq dev

fuzz: ## every fuzz target in turn, FUZZTIME each (20s)
	.ci/fuzz $(or $(FUZZTIME),20s)

# As many calls beside answers that nobody asked for, in each way; ten times as many streams in memory.
stray: ## no answer is another's: 100,000 calls in each of seven ways, a million streams; STRAY=10000 is shorter
	PROTOCOLQ_STRAY_CALLS=$(or $(STRAY),100000) PROTOCOLQ_STREAMS=$(or $(STRAY),100000)0 \
		go test -count=1 -timeout 60m -v -run '^(TestStrayAnswers|TestAnswerBeforeTheQuestion|TestStreams)$$' ./gateway

# The hot paths alone: make bench PACKAGES='./gateway/... ./messages ./worker/dedupe ./worker/querylog ./worker/publish'
bench: ## every benchmark, six times, as benchstat reads it; .ci/bench.txt holds what was
	go test -run '^$$' -bench . -benchmem -count 6 -timeout 30m $(or $(PACKAGES),./...)

# What was measured before is not measured again: PEERBENCH_OUT takes up where it was left, another file begins anew.
peerbench: PEERBENCH_OUT ?= $(CURDIR)/bin/peerbench.jsonl
peerbench: ## protocolq beside its alternatives, about 35 minutes; ROUNDS=1 for 8
	@mkdir -p $(dir $(PEERBENCH_OUT))
	cd cmd/peerbench && go run . rounds -plan bars,crowd,long,durable,growth,duplicates -rounds $(or $(ROUNDS),5) -max 2s -out $(PEERBENCH_OUT)
	cd cmd/peerbench && go run . report -in $(PEERBENCH_OUT)

# Seeds are fixed, so that a red run can be repeated. CHAOS=long takes one at random and goes on for CHAOS_FOR, each round by the next.
chaos: ## real processes killed, frozen and cut off, about 5 minutes; CHAOS=long for hours
	go run ./cmd/chaos $(if $(filter long,$(CHAOS)),-seed $(or $(SEED),0) -for 60s -total $(or $(CHAOS_FOR),8h),-seed $(or $(SEED),1) -for 7s)

mutants: ## each rule of the fold and of flights broken in a copy: their tests must find all, in a minute each
	.ci/mutants

lint: bin/lint/$(LINT)/golangci-lint ## .golangci.yml over everything, by a pinned golangci-lint
	$< run ./...

bin/lint/$(LINT)/golangci-lint:
	GOBIN=$(CURDIR)/bin/lint/$(LINT) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT)

clean: ## what was built; the data of dev (bin/dev) stays
	@[ ! -d bin ] || find bin -mindepth 1 -maxdepth 1 ! -name dev -exec rm -rf {} +
