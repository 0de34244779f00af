# SPDX-License-Identifier: GPL-2.0-only
#
# Of the goals, name those that the configuration builds. `make foo.o` makes
# any that there is a source for, with the flags of a folder that may not be
# its own; this reads what the Makefiles of the kernel really ask for. For
# make -n build="-f objects.mk obj" OBJECT...: kbuild descends as ever, and
# compiles nothing.
include $(srctree)/scripts/Makefile.build

$(foreach o,$(filter $(patsubst ./%,%,$(MAKECMDGOALS)),$(patsubst ./%,%, \
	$(real-obj-y) $(real-obj-m) $(lib-y) $(extra-y) $(always-y))),$(info enabled $o))
