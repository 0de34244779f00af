// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "write_file.h"

int write_file(const char *path, const char *value)
{
	int fd = open(path, O_WRONLY | O_TRUNC | O_CLOEXEC), ret = 0;
	ssize_t len = strlen(value), done;

	if (fd < 0)
		return -errno;
	done = write(fd, value, len);
	if (done < 0)
		ret = -errno;
	else if (done < len)
		ret = -EIO;
	close(fd);
	return ret;
}
