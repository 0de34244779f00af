/* SPDX-License-Identifier: GPL-2.0-only */
#ifndef SELFTESTS_DMA_BUF_WRITE_FILE_H
#define SELFTESTS_DMA_BUF_WRITE_FILE_H

/* Write @value to a file of the kernel in one go: 0, or a negative errno */
int write_file(const char *path, const char *value);

#endif /* SELFTESTS_DMA_BUF_WRITE_FILE_H */
