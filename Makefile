# SPDX-License-Identifier: GPL-2.0-only
#
# The map of this repository: `make help`.

# What may be overridden, and the defaults
XDG_CACHE_HOME	?= $(HOME)/.cache
CACHE		?= $(XDG_CACHE_HOME)/dma-buf-series
OUT		?= $(CURDIR)/out
LINUX		?=
KASAN		?=
T		?=

# Everything big lives in the cache: the pristine base and ccache for all
# checkouts, a build tree for this one.
ID	:= $(notdir $(CURDIR))-$(shell printf %s '$(CURDIR)$(LINUX)' | md5sum | cut -c1-8)
WORK	:= $(CACHE)/work/$(ID)
TREE	:= $(WORK)/linux
OBJ	:= $(TREE)/obj-debug$(if $(KASAN),-kasan)
TESTS	:= $(TREE)/obj-tests
CONFIG	:= base/guest.config base/test.config base/debug.config $(if $(KASAN),base/kasan.config)
# The pristine base, for what has to be compared with it
BASEOBJ	:= $(CACHE)/base-obj/debug$(if $(KASAN),-kasan)

BASEDIR	= $(shell cat $(WORK)/base)

export CACHE LINUX TREE
export ROOT = $(CURDIR)
export CCACHE_DIR ?= $(CACHE)/ccache
export CCACHE_MAXSIZE ?= 5G

# One make at a time in a work directory; the lock goes with the process.
LOCKED	= flock -o $(WORK)/.lock
series	= BASE=$(BASEDIR) OUT=$(OUT)/series scripts/series

.DEFAULT_GOAL := help
.PHONY: help
help:	## this text
	@echo 'make run       from a bare Debian to a booted guest that shows what the series does'
	@echo 'make check     everything tested; ends with "N passed, N failed"'
	@echo
	@awk -F ':.*## ' '/^[a-z-]+:.*## / { printf "  %-13s %s\n", $$1, $$2 }' $(MAKEFILE_LIST)
	@echo
	@echo 'Variables: T=glob (kselftest), KASAN=1, LINUX=dir (a 7.3 tree of yours),'
	@echo '  CMD= FILES= MEM= SMP= KARGS= QEMU_ARGS= BASE=1 (guest), PATCH= (refresh)'

# The kernel that make guest and make shell boot
export CMD FILES MEM SMP KARGS QEMU_ARGS
GUESTOBJ = $(if $(BASE),$(BASEOBJ),$(OBJ))
GUESTDEP = $(if $(BASE),base-kernel tests,tests)

# Steps that the targets are made of

.PHONY: packages base tree kernel tests
packages:
	@scripts/packages build guest

base: packages
	@mkdir -p $(WORK) $(OUT)
	@echo $(CURDIR) >$(WORK)/checkout
	@base/fetch $(CACHE) >$(WORK)/base.new && mv $(WORK)/base.new $(WORK)/base

tree: base	## the build tree: the base with the series applied
	@if [ -e $(TREE) ]; then $(series) tree; else \
		$(series) tree && \
		scripts/seed $(TREE) $$(ls -dt $(CACHE)/work/*/linux); fi

kernel: tree	## the patched kernel with all debug options
	@$(LOCKED) scripts/kernel $(TREE) $(OBJ) $(CONFIG)

.PHONY: base-kernel
base-kernel: base
	@mkdir -p $(BASEOBJ)
	@flock -o $(BASEOBJ)/.lock scripts/kernel $(BASEDIR) $(BASEOBJ) $(CONFIG)

tests: kernel
	@$(LOCKED) scripts/selftests $(TREE) $(OBJ) $(TESTS)

# What one asks for

.PHONY: run kunit kselftest neighbours check guest shell
run: tests	## show each capability on real buffers, as a table
	@guest/check $(OBJ) $(TESTS) $(OUT)/run 'guest/*' 'kselftest/dma-buf/mmap*'
	@awk -f guest/attempts.awk $(OUT)/run/tap.log
	@guest/verdict $(OUT)/run

kunit: tests	## our KUnit suites
	@guest/check $(OBJ) $(TESTS) $(OUT)/kunit 'kunit/*'
	@guest/verdict $(OUT)/kunit

kselftest: tests	## our kselftests; T=mmap for one
	@guest/check $(OBJ) $(TESTS) $(OUT)/kselftest 'kselftest/dma-buf/$(or $(T),*)'
	@guest/verdict $(OUT)/kselftest

neighbours: tests	## the tests of the tree that dma-buf could break
	@guest/check $(OBJ) $(TESTS) $(OUT)/neighbours 'neighbour/*'
	@guest/verdict $(OUT)/neighbours

check: tests test-tools	## the tools' own tests, KUnit, kselftests, neighbours
	@guest/check $(OBJ) $(TESTS) $(OUT)/check '*'
	@guest/verdict --junit $(OUT)/junit.xml $(OUT)/check

guest: $(GUESTDEP)	## run CMD in the guest, FILES=dir under /files; BASE=1: unpatched
	@guest/cmd $(GUESTOBJ) $(TESTS) $(OUT)/guest

shell: $(GUESTDEP)	## a prompt in the guest
	@guest/cmd --shell $(GUESTOBJ) $(TESTS) $(OUT)/guest

.PHONY: where
where:	## where the build tree is
	@echo $(TREE)

# The series

.PHONY: series refresh bisect lint baseline test-tools
series: tree	## the mailable series in out/series, proved against the base
	@$(series) mail

refresh: base	## put edits made in the build tree into their patches
	@$(series) refresh $(PATCH)

bisect: base	## build the touched objects at every patch
	@BASE=$(BASEDIR) $(LOCKED) scripts/bisect $(WORK)

lint: tree	## checkpatch, shellcheck, kernel-doc, sparse and W=1 on what we touch
	@scripts/packages lint
	@BASE=$(BASEDIR) OUT=$(OUT)/series scripts/lint

test-tools:	## the tests of the series tool and of the verdict
	@scripts/packages lint
	@scripts/test-tools

baseline: base-kernel tests	## the neighbours on the unpatched base, against guest/known-failures
	@guest/check $(BASEOBJ) $(TESTS) $(OUT)/baseline 'neighbour/*'
	@guest/verdict $(OUT)/baseline

.PHONY: clean distclean
clean:	## remove this checkout's build tree and output
	rm -rf $(WORK) $(OUT)

distclean: clean	## ... and the base, objects and ccache of all checkouts
	rm -rf $(CACHE)
