# The machine's own Node runs npm only; everything else runs under the Node that package.json pins.
NODE := node_modules/.bin/node
N ?= 20
ARGS ?=
FAULTS ?=

.PHONY: setup demo demo-hosts test soak lint bench dist

# npm writes this file last; a tree that is there is only brought up to date
node_modules/.package-lock.json: package.json package-lock.json
	if [ -d node_modules ]; then npm install --no-audit --no-fund; else npm ci --no-audit --no-fund; fi
	touch $@

setup: node_modules/.package-lock.json
	sh tools/bootstrap.sh
	$(NODE) tools/setup.ts

# hot backup under load, total loss, restore, proof
demo: setup
	$(NODE) lab/demo.ts $(ARGS)

# the same with the single executable on three hosts, each in its own network namespace; as root
demo-hosts: setup
	$(NODE) lab/demo-hosts.ts $(ARGS)

# make test ARGS="unit contract" runs only those projects
test: setup
	$(NODE) tools/test.ts $(ARGS)

# cut + restore + proof again and again with other seeds, N rounds; instead of it, FAULTS=n: n histories of a faulty storage,
# HOSTS=1: every fault in every stage of a backup of three hosts; as root
# KILLS=1: a kill at every step of what writes to a repository, and in every stage of a restore that lasts
soak: setup
ifdef KILLS
	SKEP_TORTURE=full $(NODE) node_modules/vitest/vitest.mjs run --project contract --project lab test/contract/torture test/lab/restore-resume $(ARGS)
else ifdef HOSTS
	$(NODE) tools/soak-hosts.ts $(ARGS)
else ifdef FAULTS
	$(NODE) test/unit/repository/faulty/soak.ts --histories $(FAULTS) $(ARGS)
else
	$(NODE) lab/soak.ts --rounds $(N) $(ARGS)
endif

lint: node_modules/.package-lock.json
	npm run --silent lint

bench: setup
	$(NODE) bench/main.ts $(ARGS)

# skep as one executable, for x64 and arm64; make dist ARGS="--arch x64" builds only that
dist: node_modules/.package-lock.json
	$(NODE) tools/dist.ts $(ARGS)
