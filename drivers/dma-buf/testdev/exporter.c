// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: the exporter
 */

#include <linux/align.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/slab.h>

#include "test-device.h"

/**
 * DOC: exporter of the test device
 *
 * A buffer is an array of pages. %DMA_BUF_TEST_MOVE gives it other pages, and goes
 * through the steps that a GPU driver goes through when it evicts, in
 * exporter-move.c. %DMA_BUF_TEST_REVOKE has the core take access away or give it
 * back.
 *
 * What an importer maps keeps the pages that it was made for until it is
 * unmapped, wherever the buffer is by then. So an importer that is late reads
 * old content and never memory of somebody else. If the core maps, or if the
 * importer has a PFN mapping, nobody tells the exporter of its end. Old pages are
 * kept then until it sees that no mapping is left from before a move: at the next
 * move, when an importer detaches, or when the buffer goes.
 *
 * The reservation lock protects where the buffer is and what is mapped. Pages
 * are mapped to the CPU by the core only, which asks for them by the op in
 * exporter-pfn.c under that lock, so a move that has zapped the entries finds none
 * until it unlocks.
 *
 * Each op counts its calls, for %DMA_BUF_TEST_BUFFER_INFO.
 */

#define DBT_MAX_SIZE	SZ_64M

#define DBT_EXPORT_FLAGS						\
	(DMA_BUF_TEST_HAS_PIN | DMA_BUF_TEST_MMAP_INSERT_PAGE |		\
	 DMA_BUF_TEST_FAIL_ATTACH | DMA_BUF_TEST_FAIL_PIN |		\
	 DMA_BUF_TEST_FAIL_MAP | DMA_BUF_TEST_CORE_MAPS)

static int buffer_attach(struct dma_buf *dmabuf,
			 struct dma_buf_attachment *attach)
{
	struct dbt_buffer *buf = dmabuf->priv;

	if (buf->flags & DMA_BUF_TEST_FAIL_ATTACH)
		return -EBUSY;
	atomic_inc(&buf->counts.attaches);
	return 0;
}

static void buffer_detach(struct dma_buf *dmabuf,
			  struct dma_buf_attachment *attach)
{
	struct dbt_buffer *buf = dmabuf->priv;

	atomic_inc(&buf->counts.detaches);

	dma_resv_lock(dmabuf->resv, NULL);
	dbt_buffer_free_old(dmabuf);
	dma_resv_unlock(dmabuf->resv);
}

static int buffer_pin(struct dma_buf_attachment *attach)
{
	struct dbt_buffer *buf = attach->dmabuf->priv;

	dma_resv_assert_held(attach->dmabuf->resv);

	if (buf->flags & DMA_BUF_TEST_FAIL_PIN)
		return -ENOSPC;
	atomic_inc(&buf->counts.pins);
	atomic_inc(&buf->counts.pin_calls);
	return 0;
}

static void buffer_unpin(struct dma_buf_attachment *attach)
{
	struct dbt_buffer *buf = attach->dmabuf->priv;

	dma_resv_assert_held(attach->dmabuf->resv);

	atomic_dec(&buf->counts.pins);
	atomic_inc(&buf->counts.unpin_calls);
}

static void buffer_free(struct dbt_buffer *buf)
{
	dbt_backing_put_all(&buf->old);
	dbt_backing_put(buf->backing);
	mutex_destroy(&buf->revoke_lock);
	kfree(buf);
}

static void buffer_release(struct dma_buf *dmabuf)
{
	struct dbt_buffer *buf = dmabuf->priv;

	if (dbt_is_mmio(buf->kind))
		dbt_mmio_del_buffer(buf);
	buffer_free(buf);
}

static void set_ops(struct dbt_buffer *buf)
{
	buf->ops = (struct dma_buf_ops) {
		.attach			= buffer_attach,
		.detach			= buffer_detach,
		.pfn_range		= dbt_buffer_pfn_range,
		.huge_mmap		= true,
		.release		= buffer_release,
	};

	if (!(buf->flags & DMA_BUF_TEST_CORE_MAPS)) {
		buf->ops.map_dma_buf = dbt_buffer_map;
		buf->ops.unmap_dma_buf = dbt_buffer_unmap;
		buf->ops.begin_cpu_access = dbt_buffer_begin_cpu_access;
		buf->ops.end_cpu_access = dbt_buffer_end_cpu_access;
	}
	/* What is offered by default depends on whether these two are there. */
	if (buf->flags & DMA_BUF_TEST_HAS_PIN) {
		buf->ops.pin = buffer_pin;
		buf->ops.unpin = buffer_unpin;
	}
	if (buf->flags & DMA_BUF_TEST_MMAP_INSERT_PAGE)
		buf->ops.mmap = dbt_buffer_mmap;
}

/**
 * dbt_buffer_get - a buffer of ours
 * @fd:		file descriptor of the dma-buf
 *
 * Return: the dma-buf, to be given back by dma_buf_put(), or ERR_PTR: -EINVAL
 * if it is of another exporter, or what dma_buf_get() says.
 */
struct dma_buf *dbt_buffer_get(int fd)
{
	struct dma_buf *dmabuf = dma_buf_get(fd);

	if (IS_ERR(dmabuf))
		return dmabuf;
	if (dmabuf->ops->release == buffer_release)
		return dmabuf;

	dma_buf_put(dmabuf);
	return ERR_PTR(-EINVAL);
}

static struct dma_buf *buffer_export(const struct dma_buf_test_export *arg)
{
	DEFINE_DMA_BUF_EXPORT_INFO(info);
	struct dbt_buffer *buf;
	struct dma_buf *dmabuf;

	buf = kzalloc_obj(*buf);
	if (!buf)
		return ERR_PTR(-ENOMEM);

	buf->kind = arg->backing;
	buf->flags = arg->flags;
	if (dbt_is_mmio(buf->kind))
		buf->flags |= DMA_BUF_TEST_CORE_MAPS;
	set_ops(buf);
	INIT_LIST_HEAD(&buf->mappings);
	INIT_LIST_HEAD(&buf->old);
	mutex_init(&buf->revoke_lock);
	buf->backing = dbt_backing_alloc(arg->backing, arg->size >> PAGE_SHIFT);
	if (IS_ERR(buf->backing)) {
		dmabuf = ERR_CAST(buf->backing);
		kfree(buf);
		return dmabuf;
	}

	info.ops = &buf->ops;
	info.size = arg->size;
	info.flags = arg->open_flags & O_ACCMODE;
	info.modes = arg->modes;
	info.cpu_access = DMA_BUF_CPU_VMAP;
	if (!buf->ops.mmap)
		info.cpu_access |= DMA_BUF_CPU_MMAP | DMA_BUF_CPU_EXCLUSIVE;
	info.priv = buf;
	dmabuf = dma_buf_export(&info);
	if (IS_ERR(dmabuf)) {
		buffer_free(buf);
		return dmabuf;
	}

	buf->dmabuf = dmabuf;
	if (dbt_is_mmio(buf->kind))
		dbt_mmio_add_buffer(buf);
	return dmabuf;
}

static bool is_dma_api(const struct dma_buf_test_export *arg)
{
	return arg->backing == DMA_BUF_TEST_DMA_COHERENT ||
	       arg->backing == DMA_BUF_TEST_DMA_NONCONTIGUOUS;
}

static bool export_is_valid(const struct dma_buf_test_export *arg)
{
	u64 unit = arg->backing == DMA_BUF_TEST_HUGE ? PMD_SIZE : PAGE_SIZE;
	u32 accmode = arg->open_flags & O_ACCMODE;

	if (arg->backing > DMA_BUF_TEST_MMIO_WC)
		return false;
	if (is_dma_api(arg) && (arg->modes || arg->flags))
		return false;
	if (dbt_is_mmio(arg->backing) &&
	    arg->flags & (DMA_BUF_TEST_FAIL_MAP | DMA_BUF_TEST_MMAP_INSERT_PAGE))
		return false;
	if (!arg->size || arg->size > DBT_MAX_SIZE ||
	    !IS_ALIGNED(arg->size, unit))
		return false;
	if (arg->flags & ~DBT_EXPORT_FLAGS)
		return false;
	if (arg->flags & DMA_BUF_TEST_FAIL_MAP &&
	    arg->flags & DMA_BUF_TEST_CORE_MAPS)
		return false;
	if (arg->open_flags & ~(O_ACCMODE | O_CLOEXEC))
		return false;
	return accmode == O_RDONLY || accmode == O_RDWR;
}

long dbt_ioctl_export(struct dbt_file *file, union dbt_arg *arg)
{
	struct dma_buf *dmabuf;
	int fd;

	if (!export_is_valid(&arg->export))
		return -EINVAL;

	dmabuf = is_dma_api(&arg->export) ? dbt_dma_export(&arg->export) :
					    buffer_export(&arg->export);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	/* Userspace has it from here on, so nothing must fail any more. */
	fd = dma_buf_fd(dmabuf, arg->export.open_flags & O_CLOEXEC);
	if (fd < 0)
		dma_buf_put(dmabuf);
	return fd;
}

long dbt_ioctl_buffer_info(struct dbt_file *file, union dbt_arg *arg)
{
	struct dma_buf_test_buffer_info *info = &arg->buffer_info;
	struct dma_buf *dmabuf;
	struct dbt_buffer *buf;

	dmabuf = dbt_buffer_get(info->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	buf = dmabuf->priv;
	info->pins = atomic_read(&buf->counts.pins);
	info->mappings = atomic_read(&buf->counts.mappings);
	info->attaches = atomic_read(&buf->counts.attaches);
	info->detaches = atomic_read(&buf->counts.detaches);
	info->pin_calls = atomic_read(&buf->counts.pin_calls);
	info->unpin_calls = atomic_read(&buf->counts.unpin_calls);
	info->map_calls = atomic_read(&buf->counts.map_calls);
	info->unmap_calls = atomic_read(&buf->counts.unmap_calls);
	info->moves = atomic_read(&buf->counts.moves);
	info->asks = atomic_read(&buf->counts.asks);
	dma_buf_put(dmabuf);
	return 0;
}
