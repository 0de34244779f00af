/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Which mode an attachment gets, for each pair of what exporters offer and what
 * importers accept: written by hand from the rules in
 * Documentation/driver-api/dma-buf/attachment-modes.rst.
 *
 * For tests only: the KUnit suite and tools/testing/selftests/dma-buf/modes.c.
 * Needs DMA_BUF_MODE_* of <linux/dma-buf.h>, and nothing of kernel or libc.
 */
#ifndef _DMA_BUF_MODE_MATRIX_H
#define _DMA_BUF_MODE_MATRIX_H

#define MODE_P	DMA_BUF_MODE_PINNED
#define MODE_R	DMA_BUF_MODE_REVOCABLE
#define MODE_M	DMA_BUF_MODE_MOVABLE

enum mode_importer_kind {
	MODE_STATIC,		/* no ops: dma_buf_attach() */
	MODE_NO_CALLBACK,	/* ops without invalidate_mappings */
	MODE_CALLBACK,		/* ops with it */
};

/* The columns */
static const struct mode_accept {
	const char *name;
	enum mode_importer_kind kind;
	unsigned int modes;	/* declared; 0 for nothing */
} mode_accepts[] = {
	{ "static",		MODE_STATIC,		0 },
	{ "silent",		MODE_NO_CALLBACK,	0 },
	{ "pinned",		MODE_NO_CALLBACK,	MODE_P },
	{ "silent, callback",	MODE_CALLBACK,		0 },
	{ "pinned, callback",	MODE_CALLBACK,		MODE_P },
	{ "revocable",		MODE_CALLBACK,		MODE_R },
	{ "pinned, revocable",	MODE_CALLBACK,		MODE_P | MODE_R },
	{ "movable",		MODE_CALLBACK,		MODE_M },
	{ "pinned, movable",	MODE_CALLBACK,		MODE_P | MODE_M },
	{ "revocable, movable",	MODE_CALLBACK,		MODE_R | MODE_M },
	{ "all",		MODE_CALLBACK,		MODE_P | MODE_R | MODE_M },
};

enum mode_offer_id {
	MODE_OFFER_NOTHING,
	MODE_OFFER_NOTHING_HAS_PIN,
	MODE_OFFER_PINNED,
	MODE_OFFER_PINNED_HAS_PIN,
	MODE_OFFER_REVOCABLE,
	MODE_OFFER_REVOCABLE_HAS_PIN,
	MODE_OFFER_PINNED_REVOCABLE,
	MODE_OFFER_PINNED_REVOCABLE_HAS_PIN,
	MODE_OFFER_MOVABLE_HAS_PIN,
	MODE_OFFER_PINNED_MOVABLE_HAS_PIN,
	MODE_OFFER_REVOCABLE_MOVABLE_HAS_PIN,
	MODE_OFFER_ALL_HAS_PIN,
	MODE_OFFER_MOVABLE,
	MODE_OFFER_PINNED_MOVABLE,
	MODE_OFFER_REVOCABLE_MOVABLE,
	MODE_OFFER_ALL,
};

/* The rows */
static const struct mode_offer {
	const char *name;
	unsigned int modes;	/* declared; 0 for nothing */
	int has_pin;		/* the exporter has pin and unpin ops */
	unsigned int offered;	/* what that comes to */
	/*
	 * A letter for each of mode_accepts[]: P, R, M, or - for nothing in
	 * common, EOPNOTSUPP. Without letters, the export is EINVAL.
	 */
	const char *result;
} mode_offers[] = {
	[MODE_OFFER_NOTHING] = {
		"nothing", 0, 0, MODE_P, "PPPPP-P-P-P" },
	[MODE_OFFER_NOTHING_HAS_PIN] = {
		"nothing", 0, 1, MODE_P | MODE_M, "PPPMP-PMMMM" },
	[MODE_OFFER_PINNED] = {
		"pinned", MODE_P, 0, MODE_P, "PPPPP-P-P-P" },
	[MODE_OFFER_PINNED_HAS_PIN] = {
		"pinned", MODE_P, 1, MODE_P, "PPPPP-P-P-P" },
	[MODE_OFFER_REVOCABLE] = {
		"revocable", MODE_R, 0, MODE_R, "---R-RR--RR" },
	[MODE_OFFER_REVOCABLE_HAS_PIN] = {
		"revocable", MODE_R, 1, MODE_R, "---R-RR--RR" },
	[MODE_OFFER_PINNED_REVOCABLE] = {
		"pinned, revocable", MODE_P | MODE_R, 0, MODE_P | MODE_R,
		"PPPRPRR-PRR" },
	[MODE_OFFER_PINNED_REVOCABLE_HAS_PIN] = {
		"pinned, revocable", MODE_P | MODE_R, 1, MODE_P | MODE_R,
		"PPPRPRR-PRR" },
	[MODE_OFFER_MOVABLE_HAS_PIN] = {
		"movable", MODE_M, 1, MODE_M, "---M---MMMM" },
	[MODE_OFFER_PINNED_MOVABLE_HAS_PIN] = {
		"pinned, movable", MODE_P | MODE_M, 1, MODE_P | MODE_M,
		"PPPMP-PMMMM" },
	[MODE_OFFER_REVOCABLE_MOVABLE_HAS_PIN] = {
		"revocable, movable", MODE_R | MODE_M, 1, MODE_R | MODE_M,
		"---M-RRMMMM" },
	[MODE_OFFER_ALL_HAS_PIN] = {
		"all", MODE_P | MODE_R | MODE_M, 1, MODE_P | MODE_R | MODE_M,
		"PPPMPRRMMMM" },
	/* What moves must have a pin op. */
	[MODE_OFFER_MOVABLE] = {
		.name = "movable", .modes = MODE_M },
	[MODE_OFFER_PINNED_MOVABLE] = {
		.name = "pinned, movable", .modes = MODE_P | MODE_M },
	[MODE_OFFER_REVOCABLE_MOVABLE] = {
		.name = "revocable, movable", .modes = MODE_R | MODE_M },
	[MODE_OFFER_ALL] = {
		.name = "all", .modes = MODE_P | MODE_R | MODE_M },
};

#endif /* _DMA_BUF_MODE_MATRIX_H */
