# SPDX-License-Identifier: GPL-2.0-only
#
# The map of this repository: `make help`.

# What may be overridden, and the defaults
CACHE		?= $(or $(XDG_CACHE_HOME),$(HOME)/.cache)/dma-buf-series
LINUX		?=
KASAN		?=
SET		?=
T		?=

OUT	:= $(CURDIR)/out
# make takes a blank for the end of a name, and rm -rf would follow it.
ifneq ($(words $(CURDIR) $(CACHE)),2)
$(error a path with blanks won't do: $(CURDIR), cache $(CACHE))
endif

# Everything big lives in the cache: the pristine base and ccache for all
# checkouts, a build tree for this one.
ID	:= $(notdir $(CURDIR))-$(shell printf %s '$(CURDIR)$(LINUX)' | md5sum | cut -c1-8)
WORK	:= $(CACHE)/work/$(ID)
TREE	:= $(WORK)/linux
OBJ	:= $(TREE)/obj-debug$(if $(KASAN),-kasan)
TESTS	:= $(TREE)/obj-tests
BASECONFIG := base/guest.config base/test.config base/debug.config $(if $(KASAN),base/kasan.config)
CONFIG	:= $(BASECONFIG) base/series.config
# The pristine base, for what has to be compared with it
BASEOBJ	:= $(CACHE)/base-obj/debug$(if $(KASAN),-kasan)
# Both once more without debug options, for what is counted
BENCHCONFIG	:= base/guest.config base/bench.config
BENCHOBJ	:= $(TREE)/obj-bench
BENCHBASEOBJ	:= $(CACHE)/base-obj/bench
ifneq ($(and $(ICOUNT),$(KASAN)),)
$(error ICOUNT=1 boots kernels without debug options: leave KASAN=1 out)
endif

BASEDIR	= $(shell cat $(WORK)/base)

export CACHE LINUX TREE
export ROOT = $(CURDIR)
export CCACHE_DIR ?= $(CACHE)/ccache
export CCACHE_MAXSIZE ?= 5G

# One make at a time in a work directory; the lock goes with the process.
LOCKED	= flock -o $(WORK)/.lock
# Our own tests must not skip a case, or a missing device would go unnoticed.
verdict	= guest/verdict/verdict --no-skip '^(guest|kunit|kselftest)/'
series	= BASE=$(BASEDIR) OUT=$(OUT)/series scripts/series

.DEFAULT_GOAL := help

# The kernel that make guest and make shell boot
export CMD FILES MEM SMP KARGS QEMU_ARGS ICOUNT
ifdef ICOUNT
GUESTOBJ = $(if $(BASE),$(BENCHBASEOBJ),$(BENCHOBJ))
GUESTDEP = $(if $(BASE),bench-base-kernel,bench-kernel)
GUESTTESTS =
else
GUESTOBJ = $(if $(BASE),$(BASEOBJ),$(OBJ))
GUESTDEP = $(if $(BASE),base-kernel tests,tests)
GUESTTESTS = $(TESTS)
endif

# Steps that the targets are made of

.PHONY: packages bench-packages cross-packages
packages:
	@scripts/packages build guest lint

bench-packages:
	@scripts/packages bench

cross-packages:
	@scripts/packages cross

.PHONY: base base-kernel bench-kernel bench-base-kernel tests
base: packages
	@mkdir -p $(WORK) $(OUT)
	@base/fetch $(CACHE) >$(WORK)/base.$$$$ && mv $(WORK)/base.$$$$ $(WORK)/base || \
		{ rm -f $(WORK)/base.$$$$; exit 1; }

base-kernel: base
	@mkdir -p $(BASEOBJ)
	@flock -o $(BASEOBJ)/.lock scripts/kernel $(BASEDIR) $(BASEOBJ) $(BASECONFIG)

bench-kernel: tree
	@$(LOCKED) scripts/kernel $(TREE) $(BENCHOBJ) $(BENCHCONFIG)

bench-base-kernel: base
	@mkdir -p $(BENCHBASEOBJ)
	@flock -o $(BENCHBASEOBJ)/.lock scripts/kernel $(BASEDIR) $(BENCHBASEOBJ) $(BENCHCONFIG)

tests: kernel
	@$(LOCKED) scripts/selftests $(TREE) $(OBJ) $(TESTS)

##@ Use

.PHONY: run guest shell bench kernel
run: tests	## show each capability on real buffers, as tables
	@guest/run $(OBJ) $(TESTS) $(OUT)/run $(verdict)

guest:	## run CMD in the guest, FILES=dir under /files; BASE=1: unpatched; ICOUNT=1: ns are instructions
	@$(MAKE) --no-print-directory $(GUESTDEP) >&2
	@guest/cmd $(GUESTOBJ) '$(GUESTTESTS)' $(OUT)/guest

shell: $(GUESTDEP)	## a prompt in the guest
	@guest/cmd --shell $(GUESTOBJ) '$(GUESTTESTS)' $(OUT)/guest

bench: bench-packages bench-base-kernel bench-kernel	## instructions of mapping and attaching: base and series
	@$(LOCKED) scripts/kernel $(TREE) $(BENCHOBJ) $(BENCHCONFIG) -- headers
	@bench/run $(BENCHBASEOBJ) $(BENCHOBJ) $(OUT)/bench

kernel: tree	## the patched kernel with all debug options
	@$(LOCKED) scripts/kernel $(TREE) $(OBJ) $(CONFIG)

##@ Test

.PHONY: check kunit kselftest neighbours baseline
check: tests test-tools	## the tools' own tests, KUnit, kselftests, neighbours
	@guest/check $(OBJ) $(TESTS) $(OUT)/check '*'
	@$(verdict) --junit $(OUT)/junit.xml $(OUT)/check

kunit: tests	## our KUnit suites
	@guest/check $(OBJ) $(TESTS) $(OUT)/kunit 'kunit/*'
	@$(verdict) $(OUT)/kunit

kselftest: tests	## our kselftests; T=mmap for one
	@guest/check $(OBJ) $(TESTS) $(OUT)/kselftest 'kselftest/dma-buf/$(or $(T),*)'
	@$(verdict) $(OUT)/kselftest

neighbours: tests	## tests of the tree that dma-buf could break, v4l2-compliance
	@guest/check $(OBJ) $(TESTS) $(OUT)/neighbours 'neighbour/*'
	@$(verdict) $(OUT)/neighbours

baseline: base-kernel tests	## the neighbours on the unpatched base, against known-failures.base
	@guest/check $(BASEOBJ) $(TESTS) $(OUT)/baseline 'neighbour/*'
	@$(verdict) --known guest/verdict/known-failures.base $(OUT)/baseline

##@ Series

.PHONY: tree where refresh series bisect cross lint
tree: base	## the build tree: the base with the series applied
	@BASE=$(BASEDIR) $(LOCKED) scripts/tree

where:	## where the build tree is
	@echo $(TREE)

refresh: base	## put edits and commits of the build tree into their patches
	@$(series) refresh $(PATCH)

series: tree	## the mails of each set in out/series, proved against the base; SET= one
	@$(series) mail $(SET)

bisect: tree cross-packages	## build the touched objects at every patch; SET= one on what it stands on
	@BASE=$(BASEDIR) $(LOCKED) scripts/bisect $(WORK) $(SET)

cross: tree cross-packages	## compile what we touch for x86 and five others, W=1 against the base
	@BASE=$(BASEDIR) OUT=$(OUT)/series $(LOCKED) scripts/cross

lint: tree	## checkpatch, shellcheck, kernel-doc, sparse and W=1 on what we touch
	@BASE=$(BASEDIR) OUT=$(OUT)/series scripts/lint

##@ Upkeep

.PHONY: test-tools clean distclean
test-tools: packages	## the tests of the series tool, the base, the guest's tools and the benchmark
	@scripts/test-tools

clean:	## remove this checkout's build tree and output
	rm -rf $(WORK) $(OUT)

distclean: clean	## ... and the base, objects and ccache of all checkouts
	rm -rf $(CACHE)

# A heading is a line "##@ TEXT", and a target's line is what follows its ##.
.PHONY: help
help:	## this text
	@echo 'make run       from a bare Debian to a booted guest that shows what the series does'
	@echo 'make check     everything tested; ends with "N passed, N failed"'
	@awk -F ':.*## ' '/^##@ / { print "\n" substr($$0, 5) } \
		/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo 'Variables: T=glob (kselftest), KASAN=1, LINUX=dir (a 7.3 tree of yours),'
	@echo '  CMD= FILES= MEM= SMP= KARGS= QEMU_ARGS= BASE=1 ICOUNT=1 (guest), PATCH=SET/topic.patch'
	@echo '  (refresh), SET= (series, bisect)'
