// SPDX-License-Identifier: GPL-2.0-only
/*
 * What userspace sees of a revoke: signals, errnos, poll(), and that it ends
 * whatever processes do meanwhile. Documentation/driver-api/dma-buf/revoke.rst has
 * the rules.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "exporters.h"
#include "modes_fixture.h"
#include "sw_sync.h"

#define GIVE_UP_MS	10000
#define A_WHILE_MS	100	/* in which what doesn't wait has come back */

#define LATE		(CALLBACK | DMA_BUF_TEST_UNMAP_LATE)
#define NEVER		(CALLBACK | DMA_BUF_TEST_UNMAP_NEVER)

FIXTURE(revoke) {
	struct testdev dev;
	int fd;
	char *view;
};

FIXTURE_VARIANT(revoke) {
	__u32 flags;
};

FIXTURE_VARIANT_ADD(revoke, exporter_maps) {
	.flags = HAS_PIN,
};

FIXTURE_VARIANT_ADD(revoke, core_maps) {
	.flags = HAS_PIN | DMA_BUF_TEST_CORE_MAPS,
};

FIXTURE_SETUP(revoke)
{
	self->fd = -1;
	if (!open_device(_metadata, &self->dev))
		return;
	self->fd = export_pages(_metadata, &self->dev, REVOCABLE,
				variant->flags);
	self->view = map_pages(_metadata, self->fd, 0, PAGES);
	fill(self->view, 0, PAGES, SEED);
}

FIXTURE_TEARDOWN(revoke)
{
	if (self->view)
		munmap(self->view, PAGES * page_size);
	if (self->fd >= 0)
		close(self->fd);
	close_device(_metadata, &self->dev);
}

static long now_ms(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
}

static int take_away(struct testdev *dev, int fd)
{
	return testdev_revoke(dev->fd, fd, DMA_BUF_REVOKED_NOW);
}

static int give_back(struct testdev *dev, int fd)
{
	return testdev_revoke(dev->fd, fd, DMA_BUF_REVOKED_NO);
}

static __u32 attach_and_map(struct __test_metadata *_metadata,
			    struct testdev *dev, int fd, __u32 flags,
			    __u32 delay_ms)
{
	__u32 id = ATTACH(dev, .fd = fd, .modes = REVOCABLE, .flags = flags,
			  .delay_ms = delay_ms);

	ASSERT_EQ(0, testdev_map(dev->fd, id));
	return id;
}

/* Signals */

static sigjmp_buf on_signal;
static siginfo_t caught;

static void catch(int sig, siginfo_t *info, void *context)
{
	(void)sig;
	(void)context;
	caught = *info;
	siglongjmp(on_signal, 1);
}

static bool reads(const char *addr)
{
	struct sigaction action = {
		.sa_sigaction = catch,
		.sa_flags = SA_SIGINFO,
	}, old;
	bool ok = false;

	sigaction(SIGBUS, &action, &old);
	if (!sigsetjmp(on_signal, 1)) {
		__atomic_load_n(addr, __ATOMIC_SEQ_CST);
		ok = true;
	}
	sigaction(SIGBUS, &old, NULL);
	return ok;
}

TEST_F(revoke, access_is_sigbus_and_content_comes_back)
{
	char *addr = self->view + 3 * page_size + 42;
	int round;

	for (round = 0; round < 2; round++) {
		ASSERT_EQ(0, take_away(&self->dev, self->fd));
		ASSERT_FALSE(reads(addr));
		EXPECT_EQ(SIGBUS, caught.si_signo);
		EXPECT_EQ(BUS_ADRERR, caught.si_code);
		EXPECT_EQ((void *)addr, caught.si_addr);
		ASSERT_EQ(0, give_back(&self->dev, self->fd));
		ASSERT_TRUE(reads(addr));
		EXPECT_EQ(-1, wrong_page(self->view, 0, PAGES, SEED + round));
		fill(self->view, 0, PAGES, SEED + round + 1);
	}
}

/* What a system call reads for the process is EFAULT, and no signal. */
TEST_F(revoke, access_by_a_system_call_is_efault)
{
	int pipes[2];

	ASSERT_EQ(0, pipe(pipes));
	ASSERT_EQ(0, take_away(&self->dev, self->fd));
	EXPECT_EQ(-1, write(pipes[1], self->view, 8));
	EXPECT_EQ(EFAULT, errno);
	ASSERT_EQ(0, give_back(&self->dev, self->fd));
	EXPECT_EQ(8, write(pipes[1], self->view, 8));
	close(pipes[0]);
	close(pipes[1]);
}

/* Calls */

TEST_F(revoke, each_call_has_its_errno)
{
	struct dma_buf_test_attach with_device = {
		.fd = self->fd, .modes = REVOCABLE, .flags = CALLBACK,
	};
	struct dma_buf_test_attach no_device = {
		.fd = self->fd, .modes = REVOCABLE, .flags = CALLBACK,
		.device = DMA_BUF_TEST_NO_DEVICE,
	};
	struct dma_buf_export_sync_file get = { .flags = DMA_BUF_SYNC_RW };
	struct dma_buf_import_sync_file put = { .flags = DMA_BUF_SYNC_RW };
	int dev = self->dev.fd, how;
	__u32 id;
	char *map;

	id = ATTACH(&self->dev, .fd = self->fd, .modes = REVOCABLE,
		    .flags = CALLBACK);
	EXPECT_EQ(0, dmabuf_sync(self->fd, DMA_BUF_SYNC_START |
					   DMA_BUF_SYNC_RW));
	for (how = DMA_BUF_REVOKED_NOW; how <= DMA_BUF_REVOKED_PERMANENT;
	     how++) {
		ASSERT_EQ(0, testdev_revoke(dev, self->fd, how));

		/* Refused */
		EXPECT_EQ(-ENODEV, testdev_attach(dev, &with_device));
		EXPECT_EQ(-ENODEV, testdev_attach(dev, &no_device));
		EXPECT_EQ(-ENODEV, testdev_map(dev, id));
		EXPECT_EQ(-ENODEV, testdev_pin(dev, id));
		EXPECT_EQ(-ENODEV, testdev_pfn_open(dev, id, true));
		EXPECT_EQ(-ENODEV, testdev_vmap_read(dev, self->fd, 0,
						     &how, sizeof(how)));
		EXPECT_EQ(-ENODEV, dmabuf_sync(self->fd, DMA_BUF_SYNC_START |
							 DMA_BUF_SYNC_READ));
		/* The exporter hears of it, and the caller learns. */
		EXPECT_EQ(-ENODEV, dmabuf_sync(self->fd, DMA_BUF_SYNC_END |
							 DMA_BUF_SYNC_RW));

		/* Not refused */
		EXPECT_EQ(0, dmabuf_set_name(self->fd, "revoked"));
		EXPECT_EQ((off_t)(PAGES * page_size),
			  lseek(self->fd, 0, SEEK_END));
		EXPECT_EQ(0, ioctl(self->fd, DMA_BUF_IOCTL_EXPORT_SYNC_FILE,
				   &get));
		put.fd = get.fd;
		EXPECT_EQ(0, ioctl(self->fd, DMA_BUF_IOCTL_IMPORT_SYNC_FILE,
				   &put));
		close(get.fd);
		EXPECT_QUERY(self->fd, REVOCABLE, how);
		map = map_pages(_metadata, self->fd, 0, PAGES);
		EXPECT_FALSE(reads(map));
		munmap(map, PAGES * page_size);
	}
	EXPECT_EQ(0, testdev_detach(dev, id));
	EXPECT_EQ(-ENODEV, give_back(&self->dev, self->fd));
}

/* poll() */

struct poller {
	pthread_t thread;
	int fd;
	short events;
	short revents;
	int ret;
	bool done;
};

static void *poll_in_thread(void *arg)
{
	struct poller *p = arg;
	struct pollfd pollfd = { .fd = p->fd, .events = p->events };

	p->ret = poll(&pollfd, 1, GIVE_UP_MS);
	p->revents = pollfd.revents;
	__atomic_store_n(&p->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

/* A fence that isn't signalled keeps them asleep. */
TEST_F(revoke, wakes_pollers)
{
	const short events[] = { POLLIN, POLLOUT, POLLIN | POLLOUT };
	struct poller pollers[3] = {};
	int timeline, i;
	long begin;

	if (access(SW_SYNC, F_OK))
		SKIP(return, "no " SW_SYNC);
	timeline = timeline_open();
	ASSERT_LE(0, timeline);
	ASSERT_EQ(0, timeline_fence(timeline, 1, self->fd, DMA_BUF_SYNC_RW));
	for (i = 0; i < 3; i++) {
		pollers[i].fd = self->fd;
		pollers[i].events = events[i];
		ASSERT_EQ(0, pthread_create(&pollers[i].thread, NULL,
					    poll_in_thread, &pollers[i]));
	}
	usleep(A_WHILE_MS * 1000);
	for (i = 0; i < 3; i++)
		EXPECT_FALSE(__atomic_load_n(&pollers[i].done,
					     __ATOMIC_SEQ_CST));

	/* The revoke waits for the fence, and they don't. */
	begin = now_ms();
	EXPECT_EQ(-ETIMEDOUT, testdev_revoke_timeout(self->dev.fd, self->fd,
						     DMA_BUF_REVOKED_NOW,
						     A_WHILE_MS));
	for (i = 0; i < 3; i++) {
		pthread_join(pollers[i].thread, NULL);
		EXPECT_EQ(1, pollers[i].ret);
		EXPECT_EQ(POLLERR, pollers[i].revents);
	}
	/* At the end of its time, poll() would look once more. */
	EXPECT_GT(GIVE_UP_MS / 2, now_ms() - begin);
	close(timeline);
}

static int poll_now(int fd, short events)
{
	struct pollfd pollfd = { .fd = fd, .events = events };

	return poll(&pollfd, 1, 0) < 0 ? -errno : pollfd.revents;
}

TEST_F(revoke, poll_tells_the_state)
{
	EXPECT_EQ(POLLIN, poll_now(self->fd, POLLIN));
	ASSERT_EQ(0, take_away(&self->dev, self->fd));
	EXPECT_EQ(POLLERR, poll_now(self->fd, POLLIN | POLLOUT));
	EXPECT_EQ(POLLERR, poll_now(self->fd, 0));
	ASSERT_EQ(0, give_back(&self->dev, self->fd));
	EXPECT_EQ(POLLIN | POLLOUT, poll_now(self->fd, POLLIN | POLLOUT));
	ASSERT_EQ(0, testdev_revoke(self->dev.fd, self->fd,
				    DMA_BUF_REVOKED_PERMANENT));
	EXPECT_EQ(POLLERR | POLLHUP, poll_now(self->fd, POLLIN));
}

/*
 * An edge-triggered epoll hears of every change. A fence that isn't signalled
 * keeps everything else from waking it.
 */
TEST_F(revoke, epoll_hears_of_each_change)
{
	struct epoll_event event = { .events = EPOLLIN | EPOLLET };
	int epoll = epoll_create1(EPOLL_CLOEXEC), timeline;

	if (access(SW_SYNC, F_OK))
		SKIP(return, "no " SW_SYNC);
	timeline = timeline_open();
	ASSERT_LE(0, timeline);
	ASSERT_LE(0, epoll);
	ASSERT_EQ(0, timeline_fence(timeline, 1, self->fd, DMA_BUF_SYNC_RW));
	ASSERT_EQ(0, epoll_ctl(epoll, EPOLL_CTL_ADD, self->fd, &event));
	ASSERT_EQ(0, epoll_wait(epoll, &event, 1, 0));

	EXPECT_EQ(-ETIMEDOUT, testdev_revoke_timeout(self->dev.fd, self->fd,
						     DMA_BUF_REVOKED_NOW, 10));
	ASSERT_EQ(1, epoll_wait(epoll, &event, 1, 0));
	EXPECT_EQ((__u32)EPOLLERR, event.events);
	EXPECT_EQ(0, epoll_wait(epoll, &event, 1, 0));

	/* That of the fence, which signals now, doesn't count. */
	close(timeline);
	ASSERT_EQ(0, take_away(&self->dev, self->fd));
	while (epoll_wait(epoll, &event, 1, 0))
		;
	ASSERT_EQ(0, give_back(&self->dev, self->fd));
	ASSERT_EQ(1, epoll_wait(epoll, &event, 1, 0));
	EXPECT_EQ((__u32)EPOLLIN, event.events);
	close(epoll);
}

/* What works before, while access is taken away, and after */

struct attempt {
	const char *name;
	const char *revoked;	/* how it is refused */
	const char *(*make)(struct testdev *dev, int fd, const char *view,
			    __u32 id);
};

static const char *result(int ret)
{
	switch (ret) {
	case 0:
		return "works";
	case -ENODEV:
		return "ENODEV";
	default:
		return "another error";
	}
}

static const char *load(struct testdev *dev, int fd, const char *view, __u32 id)
{
	(void)dev;
	(void)fd;
	(void)id;
	return reads(view) ? "works" : "SIGBUS";
}

static const char *load_by_new_mapping(struct testdev *dev, int fd,
				       const char *view, __u32 id)
{
	char *map = mmap(NULL, page_size, PROT_READ, MAP_SHARED, fd, 0);
	const char *how;

	(void)view;
	if (map == MAP_FAILED)
		return "no mapping";
	how = load(dev, fd, map, id);
	munmap(map, page_size);
	return how;
}

static const char *dma(struct testdev *dev, int fd, const char *view, __u32 id)
{
	char word[8];

	(void)fd;
	(void)view;
	return result(testdev_read(dev->fd, id, 0, word, sizeof(word)));
}

static const char *attach_one(struct testdev *dev, int fd, const char *view,
			      __u32 id)
{
	struct dma_buf_test_attach args = {
		.fd = fd, .modes = REVOCABLE, .flags = CALLBACK,
	};
	int new = testdev_attach(dev->fd, &args);

	(void)view;
	(void)id;
	return result(new > 0 ? testdev_detach(dev->fd, new) : new);
}

static const char *sync_start(struct testdev *dev, int fd, const char *view,
			      __u32 id)
{
	(void)dev;
	(void)view;
	(void)id;
	return result(dmabuf_sync(fd, DMA_BUF_SYNC_START | DMA_BUF_SYNC_READ));
}

static const char *poll_it(struct testdev *dev, int fd, const char *view,
			   __u32 id)
{
	int events = poll_now(fd, POLLIN);

	(void)dev;
	(void)view;
	(void)id;
	return events == POLLIN ? "works" :
	       events == POLLERR ? "POLLERR" : "other events";
}

static const struct attempt attempts[] = {
	{ "load by an old mapping", "SIGBUS", load },
	{ "load by a new mapping", "SIGBUS", load_by_new_mapping },
	{ "DMA of a device", "ENODEV", dma },
	{ "attach", "ENODEV", attach_one },
	{ "DMA_BUF_SYNC_START", "ENODEV", sync_start },
	{ "poll()", "POLLERR", poll_it },
};

TEST_F(revoke, shows_what_works)
{
	static const char *const states[] = {
		"before", "revoked", "given back",
	};
	size_t state, i;
	__u32 id;

	id = attach_and_map(_metadata, &self->dev, self->fd, CALLBACK, 0);
	for (state = 0; state < 3; state++) {
		if (state)
			ASSERT_EQ(0, state == 1 ?
				     take_away(&self->dev, self->fd) :
				     give_back(&self->dev, self->fd));
		for (i = 0; i < ARRAY_SIZE(attempts); i++) {
			const struct attempt *a = &attempts[i];
			const char *how = a->make(&self->dev, self->fd,
						  self->view, id);

			EXPECT_STREQ(state == 1 ? a->revoked : "works", how);
			printf("# revoke: %s | %s | %s\n", a->name,
			       states[state], how);
		}
	}
}

/* A revoke that waits */

struct revoker {
	pthread_t thread;
	int dev;
	int fd;
	int ret;
	bool done;
};

static void *revoke_in_thread(void *arg)
{
	struct revoker *r = arg;

	r->ret = testdev_revoke(r->dev, r->fd, DMA_BUF_REVOKED_NOW);
	__atomic_store_n(&r->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

static void start_revoke(struct __test_metadata *_metadata, struct revoker *r,
			 struct testdev *dev, int fd)
{
	struct dma_buf_query query;

	*r = (struct revoker) { .dev = dev->fd, .fd = fd };
	ASSERT_EQ(0, pthread_create(&r->thread, NULL, revoke_in_thread, r));
	do {
		usleep(1000);
		ASSERT_EQ(0, query_modes(fd, &query));
	} while (!query.revoked);
}

static bool waits(struct revoker *r)
{
	usleep(A_WHILE_MS * 1000);
	return !__atomic_load_n(&r->done, __ATOMIC_SEQ_CST);
}

static int end_revoke(struct revoker *r)
{
	pthread_join(r->thread, NULL);
	return r->ret;
}

TEST_F(revoke, waits_for_late_importers)
{
	long begin = now_ms();
	__u32 id, pfn;

	id = attach_and_map(_metadata, &self->dev, self->fd, LATE, 300);
	pfn = ATTACH(&self->dev, .fd = self->fd, .modes = REVOCABLE,
		     .device = DMA_BUF_TEST_NO_DEVICE, .flags = LATE,
		     .delay_ms = 600);
	ASSERT_EQ(0, testdev_pfn_open(self->dev.fd, pfn, true));
	ASSERT_EQ(0, take_away(&self->dev, self->fd));
	EXPECT_LE(600, now_ms() - begin);
	EXPECT_IMPORTER(&self->dev, id, .mode = REVOCABLE, .invalidates = 1,
			.maps = 1, .unmaps = 1);
	EXPECT_EQ(0U, importer_info(_metadata, &self->dev, pfn).pfn);
	ASSERT_EQ(0, give_back(&self->dev, self->fd));
}

/* Its device writes for a while, and a fence tells how long. */
TEST_F(revoke, waits_for_a_busy_device)
{
	char data[16] = "written at last";
	__u32 id;

	id = ATTACH(&self->dev, .fd = self->fd, .modes = REVOCABLE,
		    .flags = CALLBACK | DMA_BUF_TEST_BUSY, .delay_ms = 300);
	ASSERT_EQ(0, testdev_write(self->dev.fd, id, 8, data, sizeof(data)));
	ASSERT_EQ(0, take_away(&self->dev, self->fd));
	EXPECT_EQ(0U, importer_info(_metadata, &self->dev, id).mapped);
	ASSERT_EQ(0, give_back(&self->dev, self->fd));
	EXPECT_EQ(0, memcmp(self->view + 8, data, sizeof(data)));
}

/* The log says who it is. */
static bool log_names(int kmsg, const char *what, const char *who)
{
	char line[1024];
	bool found = false;
	ssize_t len;

	/* EPIPE: some lines are lost, and others follow. */
	while ((len = read(kmsg, line, sizeof(line) - 1)) > 0 ||
	       (len < 0 && errno == EPIPE)) {
		line[len > 0 ? len : 0] = '\0';
		if (strstr(line, what) && strstr(line, who))
			found = true;
	}
	return found;
}

TEST_F(revoke, times_out_and_names_the_importer)
{
	int kmsg = open("/dev/kmsg", O_RDONLY | O_NONBLOCK | O_CLOEXEC);
	struct dma_buf_query query;
	long begin;
	__u32 id;

	ASSERT_LE(0, kmsg);
	lseek(kmsg, 0, SEEK_END);
	id = attach_and_map(_metadata, &self->dev, self->fd, NEVER, 0);
	begin = now_ms();
	EXPECT_EQ(-ETIMEDOUT, testdev_revoke_timeout(self->dev.fd, self->fd,
						     DMA_BUF_REVOKED_NOW, 200));
	EXPECT_LE(200, now_ms() - begin);
	EXPECT_TRUE(log_names(kmsg, "has not unmapped", "importer dma_buf_test"));

	/* Revoked it is, and stays so for as long as the importer is there. */
	ASSERT_EQ(0, query_modes(self->fd, &query));
	EXPECT_EQ((__u32)DMA_BUF_REVOKED_NOW, query.revoked);
	EXPECT_FALSE(reads(self->view));
	EXPECT_EQ(-EBUSY, give_back(&self->dev, self->fd));
	EXPECT_EQ(-ETIMEDOUT,
		  testdev_revoke_timeout(self->dev.fd, self->fd,
					 DMA_BUF_REVOKED_PERMANENT, 10));
	ASSERT_EQ(0, query_modes(self->fd, &query));
	EXPECT_EQ((__u32)DMA_BUF_REVOKED_NOW, query.revoked);

	ASSERT_EQ(0, testdev_unmap(self->dev.fd, id));
	EXPECT_EQ(0, testdev_revoke_timeout(self->dev.fd, self->fd,
					    DMA_BUF_REVOKED_NOW, 0));
	EXPECT_EQ(0, give_back(&self->dev, self->fd));
	EXPECT_TRUE(reads(self->view));
	close(kmsg);
}

TEST_F(revoke, is_not_undone_while_it_waits)
{
	struct revoker revoker;
	__u32 id;

	id = attach_and_map(_metadata, &self->dev, self->fd, NEVER, 0);
	start_revoke(_metadata, &revoker, &self->dev, self->fd);
	ASSERT_TRUE(waits(&revoker));
	EXPECT_EQ(-EBUSY, give_back(&self->dev, self->fd));
	ASSERT_EQ(0, testdev_unmap(self->dev.fd, id));
	EXPECT_EQ(0, end_revoke(&revoker));
	EXPECT_EQ(0, give_back(&self->dev, self->fd));
}

/* Processes */

static int send_fd(int socket, int fd)
{
	char control[CMSG_SPACE(sizeof(int))] = {};
	struct iovec iov = { .iov_base = "", .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	struct cmsghdr *cmsg = CMSG_FIRSTHDR(&msg);

	cmsg->cmsg_level = SOL_SOCKET;
	cmsg->cmsg_type = SCM_RIGHTS;
	cmsg->cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(cmsg), &fd, sizeof(fd));
	return sendmsg(socket, &msg, 0) == 1 ? 0 : -errno;
}

static int receive_fd(int socket)
{
	char control[CMSG_SPACE(sizeof(int))], byte;
	struct iovec iov = { .iov_base = &byte, .iov_len = 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = control, .msg_controllen = sizeof(control),
	};
	int fd;

	if (recvmsg(socket, &msg, 0) != 1 || !CMSG_FIRSTHDR(&msg))
		return -EIO;
	memcpy(&fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(fd));
	return fd;
}

TEST_F(revoke, by_another_process_that_got_the_fd)
{
	int sockets[2];
	pid_t pid;
	__u32 id;

	ASSERT_EQ(0, socketpair(AF_UNIX, SOCK_STREAM, 0, sockets));
	id = attach_and_map(_metadata, &self->dev, self->fd, CALLBACK, 0);
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		/* With a device file of its own, and no mapping of ours */
		int fd, dev = testdev_open();

		close(self->fd);
		munmap(self->view, PAGES * page_size);
		fd = receive_fd(sockets[1]);
		_exit(fd < 0 || testdev_revoke(dev, fd, DMA_BUF_REVOKED_NOW));
	}
	ASSERT_EQ(0, send_fd(sockets[0], self->fd));
	EXPECT_EQ(0, exit_code(pid));
	EXPECT_FALSE(reads(self->view));
	EXPECT_EQ(0U, importer_info(_metadata, &self->dev, id).mapped);
	EXPECT_EQ(0, give_back(&self->dev, self->fd));
	EXPECT_TRUE(reads(self->view));
	close(sockets[0]);
	close(sockets[1]);
}

static bool says(int pipe, char what)
{
	return write(pipe, &what, 1) == 1;
}

static char hears(int pipe)
{
	char what = 0;

	return read(pipe, &what, 1) == 1 ? what : 0;
}

/* A child has the mapping, and loses it as its parent does. */
TEST_F(revoke, reaches_mappings_of_children)
{
	int to[2], from[2];
	pid_t pid;

	ASSERT_EQ(0, pipe(to));
	ASSERT_EQ(0, pipe(from));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		close(to[1]);
		do {
			if (!says(from[1], reads(self->view) ? 'y' : 'n'))
				_exit(1);
		} while (hears(to[0]));
		_exit(0);
	}
	close(to[0]);
	close(from[1]);
	EXPECT_EQ('y', hears(from[0]));
	ASSERT_EQ(0, take_away(&self->dev, self->fd));
	ASSERT_TRUE(says(to[1], 'a'));
	EXPECT_EQ('n', hears(from[0]));
	ASSERT_EQ(0, give_back(&self->dev, self->fd));
	ASSERT_TRUE(says(to[1], 'a'));
	EXPECT_EQ('y', hears(from[0]));
	close(to[1]);
	EXPECT_EQ(0, exit_code(pid));
	close(from[0]);
}

TEST_F(revoke, ends_when_the_importer_is_killed)
{
	struct revoker revoker;
	int pipes[2];
	pid_t pid;

	ASSERT_EQ(0, pipe(pipes));
	pid = fork();
	ASSERT_LE(0, pid);
	if (!pid) {
		struct dma_buf_test_attach args = {
			.fd = self->fd, .modes = REVOCABLE, .flags = NEVER,
		};
		int dev = testdev_open(), id = testdev_attach(dev, &args);

		if (id < 0 || testdev_map(dev, id) || !says(pipes[1], 'm'))
			_exit(1);
		pause();
		_exit(2);
	}
	close(pipes[1]);
	ASSERT_EQ('m', hears(pipes[0]));
	start_revoke(_metadata, &revoker, &self->dev, self->fd);
	EXPECT_TRUE(waits(&revoker));
	ASSERT_EQ(0, kill(pid, SIGKILL));
	EXPECT_EQ(0, end_revoke(&revoker));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	EXPECT_EQ(0, give_back(&self->dev, self->fd));
	close(pipes[0]);
}

/* Files */

/* The revoke has a reference of its own, and an importer another one. */
TEST_F(revoke, may_be_the_last_to_hold_the_buffer)
{
	struct revoker revoker;

	attach_and_map(_metadata, &self->dev, self->fd, LATE, 500);
	start_revoke(_metadata, &revoker, &self->dev, self->fd);
	munmap(self->view, PAGES * page_size);
	self->view = NULL;
	close(self->fd);
	self->fd = -1;
	EXPECT_EQ(0, end_revoke(&revoker));
}

/* It keeps the name of the buffer, and no file. */
TEST_F(revoke, does_not_mind_a_descriptor_of_the_path)
{
	char link[64];
	int path;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", self->fd);
	path = open(link, O_PATH | O_CLOEXEC);
	ASSERT_LE(0, path);
	ASSERT_EQ(0, take_away(&self->dev, self->fd));
	EXPECT_FALSE(reads(self->view));
	ASSERT_EQ(0, give_back(&self->dev, self->fd));
	ASSERT_EQ(0, take_away(&self->dev, self->fd));
	munmap(self->view, PAGES * page_size);
	self->view = NULL;
	close(self->fd);
	self->fd = -1;
	close(path);
}

static long module_references(void)
{
	FILE *f = fopen("/sys/module/dma_buf_test/refcnt", "re");
	long nr = -1;

	if (f) {
		if (fscanf(f, "%ld", &nr) != 1)
			nr = -1;
		fclose(f);
	}
	return nr;
}

/* A revoke while the rest goes: the exporter's module is held until the end. */
TEST_F(revoke, keeps_the_module_until_the_end)
{
	long before = module_references();
	struct revoker revoker;
	int fd;

	if (before < 0)
		SKIP(return, "the test device is built in");
	fd = export_pages(_metadata, &self->dev, REVOCABLE, variant->flags);
	EXPECT_EQ(before + 1, module_references());
	attach_and_map(_metadata, &self->dev, fd, LATE, 500);
	start_revoke(_metadata, &revoker, &self->dev, fd);
	close(fd);
	EXPECT_EQ(before + 1, module_references());
	EXPECT_EQ(0, end_revoke(&revoker));
}

/* Fences */

struct importer_of_fences {
	pthread_t thread;
	int fd;
	int timeline;
	bool stop;
	long added;
	int error;
};

/* There is always one that isn't signalled: the next comes before this goes. */
static void *add_fences(void *arg)
{
	struct importer_of_fences *i = arg;
	__u32 next = 1;

	i->error = timeline_fence(i->timeline, next++, i->fd, DMA_BUF_SYNC_RW);
	while (!__atomic_load_n(&i->stop, __ATOMIC_SEQ_CST) && !i->error) {
		i->error = timeline_fence(i->timeline, next++, i->fd,
					  DMA_BUF_SYNC_RW);
		if (!i->error)
			i->error = timeline_advance(i->timeline);
		__atomic_fetch_add(&i->added, 1, __ATOMIC_SEQ_CST);
	}
	return NULL;
}

/* Nor is a second revoke by those that came after the first. */
TEST_F(revoke, second_revoke_finds_nothing_to_wait_for)
{
	int timeline;

	if (access(SW_SYNC, F_OK))
		SKIP(return, "no " SW_SYNC);
	timeline = timeline_open();
	ASSERT_LE(0, timeline);
	ASSERT_EQ(0, take_away(&self->dev, self->fd));
	ASSERT_EQ(0, timeline_fence(timeline, 1, self->fd, DMA_BUF_SYNC_RW));
	EXPECT_EQ(0, testdev_revoke_timeout(self->dev.fd, self->fd,
					    DMA_BUF_REVOKED_NOW, 10));
	/* With the next one it is there from the beginning. */
	ASSERT_EQ(0, give_back(&self->dev, self->fd));
	EXPECT_EQ(-ETIMEDOUT, testdev_revoke_timeout(self->dev.fd, self->fd,
						     DMA_BUF_REVOKED_NOW, 10));
	close(timeline);
	EXPECT_EQ(0, testdev_revoke_timeout(self->dev.fd, self->fd,
					    DMA_BUF_REVOKED_PERMANENT, 10));
}

TEST_F(revoke, is_not_kept_by_fences_that_come_later)
{
	struct importer_of_fences importer = { .fd = self->fd };
	long added;
	int round;

	if (access(SW_SYNC, F_OK))
		SKIP(return, "no " SW_SYNC);
	importer.timeline = timeline_open();
	ASSERT_LE(0, importer.timeline);
	ASSERT_EQ(0, pthread_create(&importer.thread, NULL, add_fences,
				    &importer));
	for (round = 0; round < 20; round++) {
		added = __atomic_load_n(&importer.added, __ATOMIC_SEQ_CST);
		while (__atomic_load_n(&importer.added, __ATOMIC_SEQ_CST) <
		       added + 5) {
			ASSERT_EQ(0, importer.error);
			usleep(1000);
		}
		EXPECT_EQ(0, take_away(&self->dev, self->fd));
		EXPECT_EQ(0, give_back(&self->dev, self->fd));
	}
	__atomic_store_n(&importer.stop, true, __ATOMIC_SEQ_CST);
	pthread_join(importer.thread, NULL);
	EXPECT_EQ(0, importer.error);
	close(importer.timeline);
}

TEST_HARNESS_MAIN
