// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: an importer's device reads and writes the buffer
 */

#include <linux/dma-direct.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/memory_hotplug.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/sched.h>
#include <linux/scatterlist.h>
#include <linux/sizes.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "test-device.h"

/* What is at a DMA address, with the CPU in the place of a device */
static int copy_physical(phys_addr_t phys, void *data, size_t length, bool write)
{
	while (length) {
		struct page *page = pfn_to_online_page(PHYS_PFN(phys));
		size_t offset = offset_in_page(phys);
		size_t part = min(length, PAGE_SIZE - offset);

		/* Memory of another device: not everybody can get there. */
		if (!page)
			return -EOPNOTSUPP;
		if (write)
			memcpy_to_page(page, offset, data, part);
		else
			memcpy_from_page(data, page, offset, part);
		phys += part;
		data += part;
		length -= part;
	}
	return 0;
}

/**
 * dbt_dma_copy - copy by the DMA addresses of an importer
 * @imp:	importer that has a mapping, valid or not
 * @offset:	in bytes, in the buffer
 * @data:	from there, or to there
 * @length:	of @data, in bytes
 * @write:	to the buffer
 *
 * The addresses are all that a device has, so nothing is synced here; the
 * sg_table of CONFIG_DMABUF_DEBUG has no pages to do that with either. If they
 * are those of bounce buffers, content goes from there to the buffer and back
 * when the exporter unmaps, or syncs in begin_cpu_access and end_cpu_access.
 *
 * Context: Process context. Holds the reservation lock, or else a fence that
 * is not signaled keeps the mapping.
 * Return: 0, -EIO if less is mapped than the buffer has, or -EOPNOTSUPP for
 * memory that the CPU can't reach.
 */
int dbt_dma_copy(struct dbt_importer *imp, u64 offset, void *data,
		 size_t length, bool write)
{
	struct device *dev = imp->attach->dev;
	struct scatterlist *sg;
	int i, ret;

	for_each_sgtable_dma_sg(imp->sgt, sg, i) {
		size_t part;

		if (offset >= sg_dma_len(sg)) {
			offset -= sg_dma_len(sg);
			continue;
		}

		part = min_t(u64, length, sg_dma_len(sg) - offset);
		ret = copy_physical(dma_to_phys(dev, sg_dma_address(sg) + offset),
				    data, part, write);
		if (ret)
			return ret;

		data += part;
		length -= part;
		if (!length)
			return 0;
		offset = 0;
	}

	/* The exporter has mapped less than the size of its buffer. */
	return -EIO;
}

/* What *@data points to is freed later, if it is NULL afterwards. */
static int importer_access(struct dbt_importer *imp, u64 offset, void **data,
			   size_t length, bool write)
{
	struct dma_resv *resv = imp->dmabuf->resv;
	long ret;

	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		return ret;

	if (!imp->attach->dev) {
		ret = dbt_pfn_copy(imp, offset, *data, length, write);
		goto out;
	}

	ret = dbt_importer_map(imp);
	if (ret)
		goto out;

	/* The exporter may not be done with a move or with clearing. */
	ret = dma_resv_wait_timeout(resv, DMA_RESV_USAGE_KERNEL, true,
				    MAX_SCHEDULE_TIMEOUT);
	if (ret < 0)
		goto out;

	if (write && imp->flags & DMA_BUF_TEST_BUSY) {
		ret = dbt_job_start(imp, offset, *data, length);
		if (!ret)
			*data = NULL;
		goto out;
	}

	/* The device does one thing after the other. */
	dbt_job_wait(imp);
	ret = dbt_dma_copy(imp, offset, *data, length, write);
out:
	dma_resv_unlock(resv);
	return ret;
}

long dbt_ioctl_dma(struct dbt_file *file, union dbt_arg *arg)
{
	const struct dma_buf_test_dma *dma = &arg->dma;
	bool write = dma->direction == DMA_BUF_TEST_DMA_WRITE;
	void __user *user_data = u64_to_user_ptr(dma->data);
	u64 size;
	int ret;

	if (dma->direction > DMA_BUF_TEST_DMA_WRITE)
		return -EINVAL;
	if (!dma->length || dma->length > SZ_64K)
		return -EINVAL;

	struct dbt_importer *imp __free(dbt_importer_put) =
		dbt_importer_get(file, dma->id);
	if (IS_ERR(imp))
		return PTR_ERR(imp);

	size = imp->dmabuf->size;
	if (dma->offset > size || dma->length > size - dma->offset)
		return -ERANGE;
	if (imp->attach->dev && !dbt_device_is_direct(imp->attach->dev))
		return -EOPNOTSUPP;

	void *data __free(kvfree) = kvmalloc(dma->length, GFP_KERNEL);
	if (!data)
		return -ENOMEM;

	/*
	 * Userspace memory is not touched under the reservation lock: a fault
	 * takes the mmap_lock, which comes before it.
	 */
	if (write && copy_from_user(data, user_data, dma->length))
		return -EFAULT;
	ret = importer_access(imp, dma->offset, &data, dma->length, write);
	if (ret)
		return ret;
	if (!write && copy_to_user(user_data, data, dma->length))
		return -EFAULT;
	return 0;
}
