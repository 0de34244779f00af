// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "mapping.h"

#define PAGE_SIZE_MAX	65536

__u64 page_mark(__u64 seed, size_t page)
{
	return (seed + page) << 32;
}

/* What page @page of a content looks like */
static const void *expected_page(__u64 seed, size_t page)
{
	static __u64 words[PAGE_SIZE_MAX / sizeof(__u64)];
	size_t nr = getpagesize() / sizeof(__u64);
	static __u64 last_seed;
	size_t i;

	if (seed != last_seed) {
		for (i = 0; i < nr; i++)
			words[i] = seed << 32 | i;
		last_seed = seed;
	}
	words[0] = page_mark(seed, page);
	words[nr - 1] = page_mark(seed, page);
	return words;
}

void fill(char *addr, size_t first, size_t nr, __u64 seed)
{
	size_t page_size = getpagesize();
	size_t i;

	for (i = 0; i < nr; i++)
		memcpy(addr + i * page_size, expected_page(seed, first + i),
		       page_size);
}

long wrong_page(const char *addr, size_t first, size_t nr, __u64 seed)
{
	size_t page_size = getpagesize();
	size_t i;

	for (i = 0; i < nr; i++)
		if (memcmp(addr + i * page_size, expected_page(seed, first + i),
			   page_size))
			return first + i;
	return -1;
}

bool all_bytes(const char *addr, size_t len, char byte)
{
	size_t i;

	for (i = 0; i < len; i++)
		if (addr[i] != byte)
			return false;
	return true;
}

void touch(char *addr, size_t len)
{
	size_t page_size = getpagesize();
	size_t off;

	for (off = 0; off < len; off += page_size) {
		char *p = addr + off;

		__atomic_store_n(p, __atomic_load_n(p, __ATOMIC_RELAXED),
				 __ATOMIC_RELAXED);
	}
}

static long page_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

long faults_of_touch(char *addr, size_t len)
{
	long before;

	page_faults();
	before = page_faults();
	touch(addr, len);
	return page_faults() - before;
}

static sigjmp_buf fault_env;
static int fault_signal;
static int fault_code;
static void *fault_addr;

static void on_fault(int sig, siginfo_t *info, void *context)
{
	(void)context;
	fault_signal = sig;
	fault_code = info->si_code;
	fault_addr = info->si_addr;
	siglongjmp(fault_env, 1);
}

/* One load, or a store if @write: 0, or the signal that it got */
static int access_signal(char *addr, bool write)
{
	struct sigaction action = {
		.sa_sigaction = on_fault,
		.sa_flags = SA_SIGINFO,
	};
	struct sigaction old_segv, old_bus;

	fault_signal = 0;
	fault_code = 0;
	sigaction(SIGSEGV, &action, &old_segv);
	sigaction(SIGBUS, &action, &old_bus);
	if (!sigsetjmp(fault_env, 1)) {
		char byte = __atomic_load_n(addr, __ATOMIC_RELAXED);

		if (write)
			__atomic_store_n(addr, byte, __ATOMIC_RELAXED);
	}
	sigaction(SIGSEGV, &old_segv, NULL);
	sigaction(SIGBUS, &old_bus, NULL);
	return fault_signal;
}

int access_fault(char *addr, bool write)
{
	int sig = access_signal(addr, write);

	if (!sig)
		return 0;
	return sig == SIGSEGV && fault_addr == addr ? fault_code : -1;
}

bool gets_sigbus(char *addr, bool write)
{
	return access_signal(addr, write) == SIGBUS && fault_addr == addr;
}

int exit_code(pid_t pid)
{
	int status;

	if (pid <= 0 || waitpid(pid, &status, 0) != pid || !WIFEXITED(status))
		return -1;
	return WEXITSTATUS(status);
}

int count_fds(void)
{
	struct dirent *entry;
	int nr = 0;
	DIR *dir;

	dir = opendir("/proc/self/fd");
	if (!dir)
		return -1;
	while ((entry = readdir(dir)))
		nr += entry->d_name[0] != '.';
	closedir(dir);
	return nr;
}

static const char *read_maps(void)
{
	static char maps[1 << 16];
	size_t len = 0;
	ssize_t ret;
	int fd;

	fd = open("/proc/self/maps", O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return "";
	do {
		ret = read(fd, maps + len, sizeof(maps) - 1 - len);
		len += ret > 0 ? ret : 0;
	} while (ret > 0);
	close(fd);
	maps[len] = '\0';
	return maps;
}

__u64 address_space(void)
{
	__u64 hash = 0xcbf29ce484222325ULL;	/* FNV-1a */
	const char *line, *end;

	for (line = read_maps(); (end = strchr(line, '\n')); line = end + 1) {
		const char *name = memrchr(line, ' ', end - line);

		if (name && (!strncmp(name, " [stack]", 8) ||
			     !strncmp(name, " [heap]", 7)))
			continue;
		for (; line < end; line++)
			hash = (hash ^ *line) * 0x100000001b3ULL;
	}
	return hash;
}

int count_mappings(const char *needle)
{
	const char *at = read_maps();
	int nr = 0;

	while ((at = strstr(at, needle))) {
		nr++;
		at = strchrnul(at, '\n');
	}
	return nr;
}

bool read_smaps(const void *addr, struct smaps *smaps)
{
	bool inside = false;
	char line[512];
	int found = 0;
	FILE *f;

	f = fopen("/proc/self/smaps", "re");
	if (!f)
		return false;
	while (fgets(line, sizeof(line), f)) {
		unsigned long start, end;

		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = start == (unsigned long)addr;
		if (!inside)
			continue;
		found += sscanf(line, "Rss: %ld kB", &smaps->rss) == 1;
		found += sscanf(line, "Locked: %ld kB", &smaps->locked) == 1;
		found += sscanf(line, "VmFlags: %255[^\n]", smaps->flags) == 1;
	}
	fclose(f);
	return found == 3;
}

bool has_flag(const struct smaps *smaps, const char *flag)
{
	const char *p;

	for (p = smaps->flags; p[0] && p[1]; p += 3) {
		if (!strncmp(p, flag, 2))
			return true;
		if (!p[2])
			break;
	}
	return false;
}

long locked_kb(void)
{
	long kb = -1;
	char line[128];
	FILE *f;

	f = fopen("/proc/self/status", "re");
	if (!f)
		return -1;
	while (fgets(line, sizeof(line), f))
		if (sscanf(line, "VmLck: %ld kB", &kb) == 1)
			break;
	fclose(f);
	return kb;
}

pid_t traced_child(void)
{
	int status;
	pid_t pid;

	pid = fork();
	if (!pid) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL))
			_exit(1);
		raise(SIGSTOP);
		_exit(0);
	}
	if (pid < 0 || waitpid(pid, &status, 0) != pid)
		return -errno;
	return WIFSTOPPED(status) ? pid : -ECHILD;
}
