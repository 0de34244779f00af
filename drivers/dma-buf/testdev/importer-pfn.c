// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: importers that ask where the buffer is
 */

#include <linux/dma-buf-pfn.h>
#include <linux/dma-resv.h>
#include <linux/err.h>
#include <linux/highmem.h>
#include <linux/io.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "test-device.h"

/* Of DMA_BUF_TEST_PFN_QUERY */
#define DBT_MAX_RANGES	4096

/**
 * dbt_pfn_close - close the PFN mapping
 * @imp:	importer that has one, valid or not
 *
 * Context: Holds the reservation lock.
 */
void dbt_pfn_close(struct dbt_importer *imp)
{
	dma_resv_assert_held(imp->dmabuf->resv);

	dma_buf_pfn_close(&imp->pfn.mapping);

	guard(mutex)(&imp->lock);
	imp->pfn.open = false;
	imp->pfn.valid = false;
	imp->pfn.closes++;
}

static int pfn_open(struct dbt_importer *imp, bool write)
{
	int ret;

	/* The core WARNs about one that nobody tells, and that holds no pin. */
	if (dma_buf_attachment_mode(imp->attach) != DMA_BUF_MODE_MOVABLE &&
	    !imp->attach->pins)
		return -EINVAL;

	if (imp->pfn.open)
		dbt_pfn_close(imp);

	ret = dma_buf_pfn_open(imp->attach, &imp->pfn.mapping, write);
	if (ret)
		return ret;

	guard(mutex)(&imp->lock);
	imp->pfn.open = true;
	imp->pfn.valid = true;
	imp->pfn.write = write;
	imp->pfn.opens++;
	return 0;
}

static int copy_mmio(const struct dma_buf_pfn_range *range, phys_addr_t phys,
		     void *data, size_t length, bool write)
{
	void __iomem *vaddr;

	vaddr = range->caching == DMA_BUF_WRITE_COMBINE ?
		ioremap_wc(phys, length) : ioremap(phys, length);
	if (!vaddr)
		return -ENOMEM;
	if (write)
		memcpy_toio(vaddr, data, length);
	else
		memcpy_fromio(data, vaddr, length);
	iounmap(vaddr);
	return 0;
}

/* One page at most, with the CPU in the place of a device */
static int copy_page_part(const struct dma_buf_pfn_range *range, pgoff_t index,
			  size_t offset, void *data, size_t length, bool write)
{
	unsigned long pfn = range->pfn + (index - range->first);
	struct page *page;

	if (!(range->flags & DMA_BUF_PFN_PAGES))
		return copy_mmio(range, PFN_PHYS(pfn) + offset, data, length,
				 write);
	page = pfn_to_page(pfn);
	if (write)
		memcpy_to_page(page, offset, data, length);
	else
		memcpy_from_page(data, page, offset, length);
	return 0;
}

static int copy_by_range(const struct dma_buf_pfn_range *range, u64 *offset,
			 void **data, size_t *length, bool write)
{
	pgoff_t index = *offset >> PAGE_SHIFT;

	for (; *length && index < range->first + range->nr; index++) {
		size_t part = min(*length, PAGE_SIZE - offset_in_page(*offset));
		int ret;

		ret = copy_page_part(range, index, offset_in_page(*offset),
				     *data, part, write);
		if (ret)
			return ret;
		*offset += part;
		*data += part;
		*length -= part;
	}
	return 0;
}

/**
 * dbt_pfn_copy - copy by what the exporter tells
 * @imp:	importer without a device; a PFN mapping is opened if there is
 *		none that is valid, and stays open
 * @offset:	in bytes, in the buffer
 * @data:	from there, or to there
 * @length:	of @data, in bytes
 * @write:	to the buffer
 *
 * Context: Process context, may sleep. Holds the reservation lock.
 * Return: 0, -EACCES for a write by a mapping that isn't for that, or what the
 * core says.
 */
int dbt_pfn_copy(struct dbt_importer *imp, u64 offset, void *data,
		 size_t length, bool write)
{
	pgoff_t first = offset >> PAGE_SHIFT;
	struct dma_buf_pfn_iter iter;
	int ret;

	dma_resv_assert_held(imp->dmabuf->resv);

	if (!imp->pfn.valid) {
		ret = pfn_open(imp, true);
		if (ret == -EACCES)
			ret = pfn_open(imp, false);
		if (ret)
			return ret;
	}
	if (write && !imp->pfn.write)
		return -EACCES;

	ret = dma_buf_pfn_wait(&imp->pfn.mapping, true);
	if (ret)
		return ret;

	dma_buf_pfn_iter_init(&iter, &imp->pfn.mapping, first,
			      ((offset + length - 1) >> PAGE_SHIFT) - first + 1);
	while ((ret = dma_buf_pfn_iter_next(&iter)) > 0) {
		ret = copy_by_range(&iter.range, &offset, &data, &length, write);
		if (ret)
			return ret;
	}
	return ret;
}

long dbt_ioctl_pfn_open(struct dbt_file *file, union dbt_arg *arg)
{
	struct dma_resv *resv;
	int ret;

	if (arg->pfn_open.write > 1)
		return -EINVAL;

	struct dbt_importer *imp __free(dbt_importer_put) =
		dbt_importer_get(file, arg->pfn_open.id);
	if (IS_ERR(imp))
		return PTR_ERR(imp);

	resv = imp->dmabuf->resv;
	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		return ret;
	ret = imp->pfn.valid ? -EBUSY : pfn_open(imp, arg->pfn_open.write);
	dma_resv_unlock(resv);
	return ret;
}

static int query(struct dbt_importer *imp,
		 const struct dma_buf_test_pfn_query *arg,
		 struct dma_buf_pfn_range *ranges)
{
	int ret;

	/* The core WARNs about one that isn't open. */
	if (!imp->pfn.open)
		return -EINVAL;

	if (arg->flags & DMA_BUF_TEST_PFN_ONE) {
		ret = dma_buf_pfn_query(&imp->pfn.mapping, arg->first, ranges);
		return ret ?: 1;
	}
	return dma_buf_pfn_query_array(&imp->pfn.mapping, arg->first, arg->nr,
				       ranges, arg->max);
}

static int copy_ranges(struct dma_buf_test_pfn_range __user *user,
		       const struct dma_buf_pfn_range *ranges, int nr)
{
	int i;

	for (i = 0; i < nr; i++) {
		const struct dma_buf_pfn_range *r = &ranges[i];
		const struct dma_buf_test_pfn_range out = {
			.first = r->first,
			.nr = r->nr,
			.pfn = r->pfn,
			.flags = r->flags,
			.caching = r->caching,
			.mmio = !!r->provider,
		};

		if (copy_to_user(&user[i], &out, sizeof(out)))
			return -EFAULT;
	}
	return nr;
}

static bool query_is_valid(const struct dma_buf_test_pfn_query *arg)
{
	if (arg->flags & ~DMA_BUF_TEST_PFN_ONE || arg->reserved)
		return false;
	if (!arg->max || arg->max > DBT_MAX_RANGES)
		return false;
	/* pgoff_t may be shorter. */
	if (arg->first > ULONG_MAX || arg->nr > ULONG_MAX)
		return false;
	return !(arg->flags & DMA_BUF_TEST_PFN_ONE) ||
	       (arg->nr == 1 && arg->max == 1);
}

long dbt_ioctl_pfn_query(struct dbt_file *file, union dbt_arg *arg)
{
	const struct dma_buf_test_pfn_query *q = &arg->pfn_query;
	struct dma_resv *resv;
	int ret;

	if (!query_is_valid(q))
		return -EINVAL;

	struct dbt_importer *imp __free(dbt_importer_put) =
		dbt_importer_get(file, q->id);
	if (IS_ERR(imp))
		return PTR_ERR(imp);

	struct dma_buf_pfn_range *ranges __free(kvfree) =
		kvmalloc_objs(*ranges, q->max);
	if (!ranges)
		return -ENOMEM;

	resv = imp->dmabuf->resv;
	ret = dma_resv_lock_interruptible(resv, NULL);
	if (ret)
		return ret;
	ret = query(imp, q, ranges);
	dma_resv_unlock(resv);
	if (ret < 0)
		return ret;
	return copy_ranges(u64_to_user_ptr(q->ranges), ranges, ret);
}
