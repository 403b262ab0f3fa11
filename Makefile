# What can be done here. `make` alone prints the list; the machine needs Go and make, and a C
# compiler for the race detector.

# Without a C compiler the tests run all the same, only without the race detector.
RACE    := $(if $(shell command -v $$(go env CC) 2>/dev/null),-race)
BROWSER := command -v chromium chromium-browser google-chrome google-chrome-stable >/dev/null
LINT    := v2.15.0
# The commit is stamped where git can tell it; elsewhere (an archive, a tree of another user) go
# build would refuse.
STAMP   := $(if $(shell git rev-parse HEAD 2>/dev/null),true,false)

.PHONY: help build slim release image test screenshots demo dev fuzz stray fair batch readers bench longlog peerbench chaos mutants lint clean
help: ## print this list
	@sed -n 's/^\([a-z]*\):.*## /\1\t/p' $(MAKEFILE_LIST)

# The NATS server inside is for dev and demo: without inlining in it the program is 1.2 MB smaller.
build: ## bin/protocolq, stripped; its version is that of cmd/protocolq/cli/version.txt
	CGO_ENABLED=0 go build -gcflags 'github.com/nats-io/nats-server/v2/...=-l' -trimpath -buildvcs=$(STAMP) -ldflags '-s -w' -o $(or $(OUT),bin/protocolq) ./cmd/protocolq

slim: ## bin/protocolq-slim, for a worker's machine: no server (demo, dev, simulator, nats-config), no database (recorder, log, forget, doctor), no page (console)
	CGO_ENABLED=0 go build -tags slim -trimpath -buildvcs=$(STAMP) -ldflags '-s -w -X protocolq/cmd/protocolq/cli.release=$(VERSION)' -o $(or $(OUT),bin/protocolq-slim) ./cmd/protocolq

release: ## bin/release: archives, deb, rpm and checksums, the same bytes each time; PLATFORMS='linux/amd64' for some
	rm -rf bin/release
	deploy/release/build bin/release $(PLATFORMS)

# buildah, podman or docker, whichever is there. The authorities are those of this machine.
image: ## the container image protocolq:VERSION, of the program and nothing else
	$(MAKE) --no-print-directory build OUT=bin/image/protocolq
	cp $(or $(CA),/etc/ssl/certs/ca-certificates.crt) bin/image/ca-certificates.crt
	chmod 0755 bin/image/protocolq && chmod 0644 bin/image/ca-certificates.crt
	$(or $(BUILDER),$(firstword $(foreach b,buildah podman docker,$(shell command -v $(b))))) $(or $(BUILDERFLAGS),build) -f deploy/container/Dockerfile -t protocolq:$(shell cat cmd/protocolq/cli/version.txt) -t protocolq .

# Each package's test is linked anew: without a debugger's tables that takes a quarter of the time.
# The two largest have the machine for themselves: beside each other their fleets starve. Of the
# others those that take longest are begun first.
TESTS   := $(RACE) -vet=off -ldflags='-s -w' -timeout 40m -parallel 4
LARGEST := protocolq/worker protocolq/cmd/protocolq
LONGEST := $(addprefix ./,worker/querylog/database cmd/protocolq/natsconfig cmd/protocolq/console cmd/protocolq/console/letters cmd/protocolq/console/watches worker/provision)
test: ## vet, then every test under the race detector
	go vet ./...
	go test $(TESTS) -p 1 $(TESTFLAGS) $(LARGEST)
	go test $(TESTS) -p 2 $(TESTFLAGS) $(LONGEST) $$(go list ./... | grep -vx $(LARGEST:%=-e %))
	@$(BROWSER) || echo 'NOTE: no Chromium, so the page was not tried in a browser: install chromium'

# The pictures of every page, in bin/screenshots, to be looked at.
screenshots: ## pictures of every page of the console, taken by its tests
	@mkdir -p bin/screenshots
	PROTOCOLQ_SCREENSHOTS=$(CURDIR)/bin/screenshots go test -count=1 ./cmd/protocolq/console/...

demo: ## a file of queries through the whole pipeline, everything embedded
	go run ./cmd/protocolq demo

dev: ## the same pipeline, which stays until Ctrl-C
	go run ./cmd/protocolq dev

fuzz: ## every fuzz target in turn, FUZZTIME each (20s)
	.ci/fuzz $(or $(FUZZTIME),20s)

# As many calls beside answers that nobody asked for, in each way; ten times as many streams in
# memory.
stray: ## no answer is another's: 100,000 calls in each of seven ways, a million streams; STRAY=10000 is shorter
	PROTOCOLQ_STRAY_CALLS=$(or $(STRAY),100000) PROTOCOLQ_STREAMS=$(or $(STRAY),100000)0 \
		go test -count=1 -timeout 60m -v -run '^(TestStrayAnswers|TestAnswerBeforeTheQuestion|TestStreams)$$' ./gateway

fair: ## one asker's 20,000 queries, or 100,000 submitted ones, make no other wait; on a quiet machine, 3 minutes
	go test -count=1 -timeout 20m -run '^$$' -bench '^BenchmarkFairShares$$' -benchtime 1x ./worker

batch: ## 100,000 lines by query --file, printed in each way and resumed, within 64 MB of memory; about 4 minutes
	go test -count=1 -timeout 20m -run '^$$' -bench '^BenchmarkBatch$$' -benchtime 1x ./cmd/protocolq

readers: ## a worker answers as many queries with 100 tabs of a console open as without; on a quiet machine, 3 minutes
	go test -count=1 -timeout 20m -run '^$$' -bench '^BenchmarkReaders$$' -benchtime 1x ./cmd/protocolq

# The hot paths alone: make bench PACKAGES='./gateway/... ./messages ./worker/journal
# ./worker/querylog ./worker/publish'
bench: ## every benchmark, six times, as benchstat reads it; .ci/bench.txt holds what was
	go test -run '^$$' -bench . -benchmem -count 6 -timeout 30m $(or $(PACKAGES),./...)

# SQLite writes into TMPDIR: 10 million rows need 8 GB there.
longlog: ## what a reader of a query log of 10 million rows waits for, each kind of page; ROWS=1000000 is shorter
	PROTOCOLQ_BENCH_ROWS=$(or $(ROWS),10000000) go test -run '^$$' -bench '^BenchmarkPages/$(or $(DATABASE),sqlite)' -benchtime 1x -timeout 6h ./worker/querylog/database

# What was measured before is not measured again: PEERBENCH_OUT takes up where it was left, another
# file begins anew.
peerbench: PEERBENCH_OUT ?= $(CURDIR)/bin/peerbench.jsonl
peerbench: ## protocolq beside its alternatives, about 27 minutes; ROUNDS=1 for 6
	@mkdir -p $(dir $(PEERBENCH_OUT))
	cd cmd/peerbench && go run . rounds -plan bars,crowd,long,durable,growth,duplicates,death,idle -rounds $(or $(ROUNDS),5) -max 2s -out $(PEERBENCH_OUT)
	cd cmd/peerbench && go run . report -in $(PEERBENCH_OUT)

# Seeds are fixed, so that a red run can be repeated. CHAOS=full takes three, lets everyone be away
# for twelve minutes, and breaks the product in ten ways, each of which must be seen. CHAOS=long
# takes one at random, with the times that the program is shipped with, and goes on for CHAOS_FOR,
# each round by the next.
chaos_full := -seed 1 -rounds 3 -for 10s -away 12m
chaos_long  = -seed $(or $(SEED),0) -for 60s -shipped -total $(or $(CHAOS_FOR),8h)
chaos: ## real processes killed, frozen and cut off, about 10 minutes; CHAOS=full for an hour, CHAOS=long for hours
	go run ./cmd/chaos $(or $(chaos_$(CHAOS)),-seed $(or $(SEED),1) -for 7s)
	$(if $(filter full,$(CHAOS)),cmd/chaos/mutate.sh)

mutants: ## each rule of the fold and of flights broken in a copy: their tests must find all, in a minute each
	.ci/mutants

lint: bin/lint/$(LINT)/golangci-lint ## .golangci.yml over everything, by a pinned golangci-lint
	$< run ./...

bin/lint/$(LINT)/golangci-lint:
	GOBIN=$(CURDIR)/bin/lint/$(LINT) go install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(LINT)

clean: ## what was built; the data of dev (bin/dev) stays
	@[ ! -d bin ] || find bin -mindepth 1 -maxdepth 1 ! -name dev -exec rm -rf {} +
