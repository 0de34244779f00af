/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Exporters as variants of fixtures: those of the list that are for the
 * fixture, or those that the user names behind "--" on the command line.
 *
 * FIXTURE_VARIANT_ADD() is for what is known at compile time. Here it is main()
 * that registers the variants, before the harness looks at them.
 */
#ifndef SELFTESTS_DMA_BUF_EXPORTERS_FIXTURE_H
#define SELFTESTS_DMA_BUF_EXPORTERS_FIXTURE_H

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "kselftest_harness.h"
#include "exporters.h"

/* FIXTURE_VARIANT() of each of these fixtures has just the last member. */
struct exporter_variant {
	struct __fixture_variant_metadata metadata;
	const struct exporter *exporter;
};

/* @which: the FOR_ of that fixture */
static inline void add_exporters(struct __fixture_metadata *fixture,
				 const struct exporter *exporters,
				 unsigned int which)
{
	const struct exporter *exporter;

	for (exporter = exporters; exporter->name; exporter++) {
		struct exporter_variant *variant;

		if (!exporter->requested && !(exporter->fixtures & which))
			continue;
		variant = calloc(1, sizeof(*variant));
		if (!variant)
			ksft_exit_fail_perror("calloc");
		variant->exporter = exporter;
		variant->metadata.name = exporter->variant ?: exporter->name;
		variant->metadata.data = &variant->exporter;
		__register_fixture_variant(fixture, &variant->metadata);
	}
}

static inline void print_usage(const char *program)
{
	const struct exporter *exporter;

	fprintf(stderr,
		"Usage: %s [options] [-- EXPORTER...]\n"
		"Exporters are, for example:\n"
		"\tdrm:msm           a card of that driver\n"
		"\tdrm:/dev/dri/card1\n"
		"\tv4l2:/dev/video0  a video device\n"
		"\theap:system       a heap of /dev/dma_heap\n"
		"or one of these, which without -- are used all:\n",
		program);
	for (exporter = all_exporters; exporter->name; exporter++)
		if (!exporter->variant)
			fprintf(stderr, "\t%s\n", exporter->name);
	fprintf(stderr, "\n");
}

/* What is asked for has to be there: no test of it is a skip for that. */
static inline void request_exporter(const char *program, const char *spec,
				    struct exporter *exporter)
{
	const char *missing;
	struct dmabuf buf;
	int ret;

	if (exporter_request(spec, exporter)) {
		print_usage(program);
		ksft_exit_fail_msg("%s is no exporter\n", spec);
	}

	missing = exporter_missing(exporter);
	if (missing)
		ksft_exit_fail_msg("%s: %s; is the driver loaded, are you root?\n",
				   spec, missing);

	ret = dmabuf_open(&buf, exporter, exporter_small(exporter), O_RDWR);
	if (ret)
		ksft_exit_fail_msg("%s gives no dma-buf: %s%s\n", spec,
				   ret == -EMSGSIZE ? "its buffers are small" :
				   strerror(-ret), exporter->kind->hint ?: "");
	dmabuf_close(&buf);
}

static inline const struct exporter *
request_exporters(const char *program, char **specs, size_t nr)
{
	struct exporter *exporters = calloc(nr + 1, sizeof(*exporters));
	size_t i;

	if (!exporters)
		ksft_exit_fail_perror("calloc");
	for (i = 0; i < nr; i++)
		request_exporter(program, specs[i], &exporters[i]);
	return exporters;
}

/* Neither an option, nor what follows "-t" and the like */
static inline bool stands_alone(char **argv, int i)
{
	const char *before = argv[i - 1];

	return argv[i][0] != '-' && (before[0] != '-' || strlen(before) != 2);
}

/*
 * The exporters behind "--", where the command line is cut off for the harness,
 * or the whole list. The last one has no name.
 */
static inline const struct exporter *exporters_wanted(int *argc, char **argv)
{
	int i, end = *argc;

	for (i = 1; i < end && strcmp(argv[i], "--"); i++) {
		if (!strcmp(argv[i], "-h"))
			print_usage(argv[0]);
		if (stands_alone(argv, i)) {
			print_usage(argv[0]);
			ksft_exit_fail_msg("\"--\" is missing in front of %s\n",
					   argv[i]);
		}
	}
	if (i == end)
		return all_exporters;

	*argc = i;
	argv[i++] = NULL;
	if (i == end) {
		print_usage(argv[0]);
		ksft_exit_fail_msg("no exporter follows \"--\"\n");
	}
	return request_exporters(argv[0], argv + i, end - i);
}

#endif /* SELFTESTS_DMA_BUF_EXPORTERS_FIXTURE_H */
