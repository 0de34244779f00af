/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * An exporter of one page that writes down how the dma-buf core calls it, and
 * importers' drivers for the KUnit tests of attachment modes.
 */
#ifndef _DMA_BUF_MODE_MOCK_H
#define _DMA_BUF_MODE_MOCK_H

#include <kunit/test.h>
#include <linux/dma-buf.h>
#include <linux/list.h>

#define PIN_OP		true
#define NO_PIN_OP	false

struct mock_exporter {
	struct kunit *test;
	struct dma_buf *dmabuf;
	struct dma_buf_ops ops;
	struct page *page;
	char name[32];

	/* What the ops did: each call in its order, see EXPECT_CALLS() */
	char calls[160];
	int attached;
	int pinned;
	bool released;
	struct list_head mappings;

	/* What the ops are to do */
	int attach_error;
	int pin_error;
	int map_error;
	bool revokes_in_attach;
	bool revokes_in_release;
	bool returns_same_table;
	const char *invalidates_in;	/* name of an op */
};

/* All calls of ops, and of mock_invalidate(), since the last EXPECT_CALLS() */
#define EXPECT_CALLS(exp, expected)					\
	do {								\
		struct mock_exporter *_exp = exp;			\
									\
		KUNIT_EXPECT_STREQ(_exp->test, _exp->calls, expected);	\
		_exp->calls[0] = '\0';					\
	} while (0)

/* @statement is run once, and WARNs so many times. */
#define EXPECT_WARNINGS(test, nr, statement)				\
	do {								\
		struct kunit *_test = test;				\
									\
		kunit_warning_suppress(_test) {				\
			statement;					\
			KUNIT_EXPECT_SUPPRESSED_WARNING_COUNT(_test, nr); \
		}							\
	} while (0)

/*
 * The exporter ends with its test, which fails if an attachment, a pin, a
 * mapping or a reference is left. Export by hand if it is to fail.
 */
struct mock_exporter *mock_export(struct kunit *test, bool has_pin, u32 modes);
struct mock_exporter *mock_exporter(struct kunit *test, bool has_pin);
int mock_try_export(struct mock_exporter *exp, u32 modes);

/* Another name, that nobody was warned about in this kernel's life */
void mock_rename(struct mock_exporter *exp);
/* A device with a driver of such a name */
struct device *mock_device(struct kunit *test);

/* Write a call down; the reservation lock is to be held, or free. */
void mock_record(struct mock_exporter *exp, const char *call, bool locked);
/* What importers have as invalidate_mappings; importer_priv is the exporter. */
void mock_invalidate(struct dma_buf_attachment *attach);
bool mock_is_attached(const struct dma_buf_attachment *attach);

#endif /* _DMA_BUF_MODE_MOCK_H */
