# Everything that is needed to run and to change the system.
# `make` alone tells what there is.

.DEFAULT_GOAL := help
.PHONY: help run tool test sim scale bugs crash disk clock overload fuzz race lint vuln api-test console-test bench peers bench-start aws-test lambda-test e2e-aws smoke build deploy-dev deploy-prod logs remove clean

STAGE ?= dev
STATICCHECK = honnef.co/go/tools/cmd/staticcheck@v0.8.2
GOVULNCHECK = golang.org/x/vuln/cmd/govulncheck@v1.9.0
VULNDB ?= latest

# The functions are static executables without debug information. lambda.norpc
# leaves out the start-up of the retired go1.x runtime.
SAM_ENV = SAM_CLI_TELEMETRY=0 CGO_ENABLED=0 GOFLAGS="-tags=lambda.norpc '-ldflags=-s -w'"

# What logs besides the API, by name: left to itself, sam logs looks for a stage
# of the API that is called $$default.
LOGGING = $(shell awk -F: '/^  [A-Z]/ { id = $$1 } /Type: AWS::Serverless::(Function|StateMachine)/ { print "--name" id }' template.yaml)
LOGS_FLAGS ?= --tail

# Where files need not outlive the tests, memory is the quicker disk.
FAST = $(if $(wildcard /dev/shm),-exec 'env TMPDIR=/dev/shm')

help: ## Show what there is
	@awk -F ':.*## ' '/^[a-z0-9-]+:.*## / { printf "%-12s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)

run: tool ## Run the whole system on this machine
	@exec bin/tasks serve

tool: ## Build the command line tool, bin/tasks
	@go build -o bin/tasks ./cmd/tasks

test: ## Run every test that needs Go alone
	go test ./...

sim: ## Simulate both hosts with faults, SEEDS=1000 runs; SEED=7 is one run with its history
	@bash -o pipefail -c "FIRST=$(FIRST) SEEDS=$(or $(SEEDS),1000) SEED=$(SEED) go test -count=1 -timeout 0 -v $(FAST) \
		./internal/simulation/cloud ./internal/host -run TestSimulation | grep -Ev '^ *(=== |--- PASS|PASS$$)'"

scale: ## Work off a backlog under AWS's quotas, in virtual time; TASKS=1000000 tasks
	@bash -o pipefail -c "TASKS=$(or $(TASKS),1000000) go test -count=1 -timeout 0 -v ./internal/simulation/cloud -run TestScale | grep -Ev '^ *(=== |--- PASS|PASS$$)'"

bugs: ## Plant bugs one by one, and check that the simulation finds each
	scripts/plant-bugs

clock: ## Set the clock of a running host back and forward, and check that no task waits for it
	scripts/test-clock

overload: ## Take tasks in faster than the workers can for FOR=5m, and print what the host takes
	@bash -o pipefail -c "go test ./internal/host -run TestOverload -overload $(or $(FOR),5m) -timeout 0 -count 1 -v | grep -v '^=== '"

fuzz: ## Fuzz each target, FUZZTIME=5m; a finding is a file in its testdata/fuzz
	@FUZZTIME=$(FUZZTIME) scripts/fuzz

crash: ## Kill a host KILLS=300 times, before and after each commit (some 40 at least) and at random, and check every task
	@bash -o pipefail -c "KILLS=$(or $(KILLS),300) go test -count=1 -timeout 0 -v $(FAST) ./internal/host -run TestKill9 | grep -Ev '^ *(=== |--- PASS|PASS$$)'"

disk: ## Have the disk under a host fill up, become read-only and fail (needs root and strace)
	scripts/test-disk

race: ## Run the tests of `make test` with the race detector (needs a C compiler)
	go test -race ./...

lint: ## Check format, vet and staticcheck
	@test -z "$$(gofmt -l .)" || { gofmt -l .; exit 1; }
	go vet ./...
	go run $(STATICCHECK) ./...

# The database is Go's own, as the module proxy has it. GOTOOLCHAIN has the
# standard library checked that go.mod names, and Go takes unless told otherwise.
vuln: ## Look for known vulnerabilities in what the code calls
	@db=$$(go mod download -json golang.org/x/vulndb@$(VULNDB) | sed -n 's/^\t"Dir": "\(.*\)",$$/\1/p') && echo "database: $${db##*/}" && \
		GOTOOLCHAIN=auto go run $(GOVULNCHECK) -db "file://$$db/data/osv" ./...

api-test: ## Have schemathesis send to a host what it makes of api/openapi.yaml; EXAMPLES=100, SEED=0
	@EXAMPLES=$(EXAMPLES) SEED=$(SEED) scripts/test-api

console-test: ## Drive the console in headless Chromium (needs Node.js and Chromium)
	@SHOTS=$(SHOTS) TASKS=$(TASKS) scripts/test-console

bench: ## Measure tasks per second, and reads in a small and a large file
	go test ./internal/host -run '^$$' -bench EndToEnd -benchtime 30000x -count 3
	go test ./internal/taskdb -run '^$$' -bench Read
	go test ./internal/asl -run '^$$' -bench .

peers: ## Compare the one-machine host with other task queues (bench/README.md); PEERS_FLAGS=-smoke
	cd bench && go run . $(PEERS_FLAGS)

bench-start: ## Measure how the functions start, beside Node.js 20; ROUNDS=20, FLAGS=-tls
	@$(SAM_ENV) ROUNDS=$(ROUNDS) FLAGS="$(FLAGS)" scripts/bench-start

aws-test: ## Run the contracts' suites on the AWS adapters, against emulators on loopback
	scripts/test-aws

lambda-test: ## Run every event on the built functions under Lambda's Runtime Interface Emulator
	$(SAM_ENV) scripts/test-lambda

e2e-aws: tool ## Deploy to an emulated AWS on loopback and run tasks there
	$(SAM_ENV) scripts/e2e-aws

smoke: tool ## Submit tasks to API=https://... and check that all become final
	@test -n "$(API)" || { echo "say which API: make smoke API=https://..."; exit 2; }
	bin/tasks load --api "$(API)" -n 50 -c 4 --timeout 5m $(SMOKE_FLAGS)

build: ## Build the functions for AWS
	$(SAM_ENV) sam build $(SAM_FLAGS)

deploy-dev: ## Deploy the dev stage
	$(SAM_ENV) sam build
	sam deploy

deploy-prod: ## Deploy prod; ALARM_EMAIL=... to be told of alarms
	$(SAM_ENV) sam build --config-env prod
	sam deploy --config-env prod $(if $(ALARM_EMAIL),--parameter-overrides "StageName=prod LogRetentionDays=365 AlarmEmail=$(ALARM_EMAIL)")

logs: ## Follow the logs of STAGE
	sam logs --stack-name tasks-$(STAGE) $(LOGGING) --cw-log-group /aws/vendedlogs/apis/tasks-$(STAGE) $(LOGS_FLAGS)

remove: ## Delete STAGE's stack (prod keeps its table)
	sam delete --stack-name tasks-$(STAGE) --no-prompts

clean: ## Remove what was built; the database stays
	rm -rf .aws-sam bin
