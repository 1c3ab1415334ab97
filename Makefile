# kcp-router. "make help" lists the goals; every goal sets up what it needs on a fresh clone.
.DEFAULT_GOAL := help
.PHONY: help build native native-all reproducible quickjs check format test test-quickjs demo page bench fuzz soak ipk apk feed docs clean
MAKEFLAGS += --no-print-directory

TSX := node --import=tsx
ARCHES := x86_64 aarch64 arm mipsel mips

help:          ## This list
	@awk -F '##' '/^[a-z-]+:.*##/ { split($$1, goal, ":"); printf "  make %-10s %s\n", goal[1], $$2 }' $(MAKEFILE_LIST)

build: native  ## Daemon and CLI as out/kcp-router, native core included
	@$(TSX) tools/bundle.ts

ifndef ARCH
native:        ## The native I/O core for this machine; with ARCH=x86_64, aarch64, arm, mipsel or mips: one static executable for routers
	@tools/prepare.sh build
	@$(MAKE) -s -C router-daemon/native
else
native:
	@tools/prepare.sh native
	@$(TSX) tools/bundle.ts
	@$(MAKE) -s -C router-daemon/native/quickjs ARCH=$(ARCH)
endif

native-all:    ## Static executables for all five kinds of routers, in out/bin
	@tools/prepare.sh native
	@$(TSX) tools/bundle.ts
	@for arch in $(ARCHES); do $(MAKE) -s -C router-daemon/native/quickjs ARCH=$$arch || exit 1; done

reproducible:  ## Builds an executable twice, in different places: both must be the same byte for byte (ARCH=…, default mipsel)
	@tools/prepare.sh native
	@$(TSX) tools/bundle.ts
	@tools/reproducible.sh $(ARCH)

quickjs:       ## The executable with this machine's compiler (out/bin/host), and its interpreter of files, for development
	@tools/prepare.sh quickjs
	@$(TSX) tools/bundle.ts
	@$(MAKE) -s -C router-daemon/native/quickjs ARCH=host all script

check:         ## Types, format, lint with import boundaries, unused code, generated files
	@tools/prepare.sh build
	@$(TSX) tools/check.ts

format:        ## Format and mend what can be mended by itself
	@tools/prepare.sh build
	@npx biome check --write .

test:          ## Everything: checks, unit, property, simulation, lab (about 10 minutes; ONLY=path for a part)
	@tools/prepare.sh test
	@$(MAKE) build quickjs
	@$(MAKE) native ARCH=$(shell uname -m)
	@$(MAKE) -s -j2 -C test/native
	@$(TSX) tools/test.ts

test-quickjs:  ## The unit, property and vector tests inside QuickJS, whole: here, and emulated on aarch64, arm, mipsel and mips
	@tools/prepare.sh test
	@$(MAKE) quickjs
	@QUICKJS=all npx ava --serial --concurrency=2 --timeout=2h 'test/quickjs/*.test.ts' test/native/aead.test.ts

demo:          ## A LAN behind one router, a service behind another, 5 % loss between: four ways compared (KEEP=1 leaves it up)
	@tools/prepare.sh demo
	@$(MAKE) build
	@$(TSX) test/demo/demo.ts

page:          ## The LuCI page in your own browser, around a running lab (PORT=8080)
	@tools/prepare.sh demo
	@$(MAKE) build
	@$(TSX) test/luci/page.ts

bench:         ## Side by side with kcptun, the real EasyTier and kernel TCP (ONLY=… runs a part)
	@tools/prepare.sh bench
	@$(MAKE) build
	@$(TSX) test/bench/bench.ts

fuzz:          ## Datagram fuzzers, longer than in the tests (FUZZ_SECONDS=… for each, 300 by default)
	@tools/prepare.sh test
	@$(MAKE) build
	@FUZZ_SECONDS=$${FUZZ_SECONDS:-300} MESH_FUZZ_ROUNDS=$${MESH_FUZZ_ROUNDS:-400} \
		npx ava --serial --concurrency=1 --timeout=3h 'test/**/*fuzz*.test.ts' 'router-daemon/kcp-ts/test/**/*fuzz*.test.ts'

soak:          ## The long stories of the lab, whole: ten minutes against the real peer, 5 GB, a stalled reader
	@tools/prepare.sh test
	@$(MAKE) build quickjs
	@SOAK=1 npx ava --serial --concurrency=1 --timeout=1h 'test/{netns,interop}/**/*.test.ts'

# What a package holds is built first: one executable for ARCH=x86_64 …, all five without.
packaged = $(if $(ARCH),$(if $(filter $(ARCH),$(ARCHES)),$(MAKE) native ARCH=$(ARCH),tools/prepare.sh build),$(MAKE) native-all)

ipk:           ## Packages for OpenWrt 24.10 and older in out/packages (ARCH=x86_64 for one, or one of OpenWrt's names)
	@$(packaged)
	@$(TSX) tools/package/package.ts ipk

apk:           ## Packages for OpenWrt 25.12, likewise
	@$(packaged)
	@$(TSX) tools/package/package.ts apk

feed:          ## A signed feed of both, out/feed (keys in KCP_ROUTER_FEED_KEYS, made once outside the tree)
	@$(packaged)
	@$(TSX) tools/package/package.ts feed

docs:          ## Write generated parts of the documents again
	@tools/prepare.sh build
	@$(TSX) tools/docs.ts

clean:         ## Remove everything that was built
	@rm -rf out
