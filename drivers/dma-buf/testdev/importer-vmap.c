// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: access by a kernel mapping. Nothing is synced, as a
 * driver would that copies with the CPU: what a device bounces isn't seen here.
 */

#include <linux/err.h>
#include <linux/iosys-map.h>
#include <linux/mm.h>
#include <linux/sizes.h>
#include <linux/uaccess.h>

#include "test-device.h"

static int vmap_access(struct dma_buf *dmabuf,
		       const struct dma_buf_test_vmap *arg, void *data)
{
	struct iosys_map map;
	int ret;

	ret = dma_buf_vmap_unlocked(dmabuf, &map);
	if (ret)
		return ret;
	if (arg->direction == DMA_BUF_TEST_DMA_WRITE)
		iosys_map_memcpy_to(&map, arg->offset, data, arg->length);
	else
		iosys_map_memcpy_from(data, &map, arg->offset, arg->length);
	dma_buf_vunmap_unlocked(dmabuf, &map);
	return 0;
}

static long vmap_copy(struct dma_buf *dmabuf,
		      const struct dma_buf_test_vmap *arg)
{
	bool write = arg->direction == DMA_BUF_TEST_DMA_WRITE;
	void __user *user_data = u64_to_user_ptr(arg->data);
	int ret;

	if (arg->offset > dmabuf->size ||
	    arg->length > dmabuf->size - arg->offset)
		return -ERANGE;

	void *data __free(kvfree) = kvmalloc(arg->length, GFP_KERNEL);
	if (!data)
		return -ENOMEM;
	if (write && copy_from_user(data, user_data, arg->length))
		return -EFAULT;
	ret = vmap_access(dmabuf, arg, data);
	if (ret)
		return ret;
	if (!write && copy_to_user(user_data, data, arg->length))
		return -EFAULT;
	return 0;
}

long dbt_ioctl_vmap(struct dbt_file *file, union dbt_arg *arg)
{
	const struct dma_buf_test_vmap *vmap = &arg->vmap;
	struct dma_buf *dmabuf;
	long ret;

	if (vmap->direction > DMA_BUF_TEST_DMA_WRITE)
		return -EINVAL;
	if (!vmap->length || vmap->length > SZ_64K)
		return -EINVAL;

	dmabuf = dma_buf_get(vmap->fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);
	ret = vmap_copy(dmabuf, vmap);
	dma_buf_put(dmabuf);
	return ret;
}
