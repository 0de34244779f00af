// SPDX-License-Identifier: GPL-2.0-only
/*
 * An importer to measure, the same for the base and for the series: it attaches
 * to a dma-buf, maps and unmaps it, and detaches, as drivers of 7.3 do, and
 * declares nothing that 7.3 doesn't know. describe.c, bar.c and revoke.c are where
 * the two differ.
 */

#include <linux/dma-buf.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/platform_device.h>
#include <linux/uaccess.h>

#include "bench.h"

static struct platform_device *pdev;

/* Nothing moves a buffer that is mapped only inside of the ioctl. */
static void invalidate_mappings(struct dma_buf_attachment *attach)
{
}

const struct dma_buf_attach_ops bench_dynamic_ops = {
	.allow_peer2peer = true,
	.invalidate_mappings = invalidate_mappings,
};

static int map_and_unmap(struct dma_buf_attachment *attach)
{
	struct sg_table *sgt;

	sgt = dma_buf_map_attachment_unlocked(attach, DMA_BIDIRECTIONAL);
	if (IS_ERR(sgt))
		return PTR_ERR(sgt);

	dma_buf_unmap_attachment_unlocked(attach, sgt, DMA_BIDIRECTIONAL);
	return 0;
}

static int import(struct dma_buf *dmabuf, bool dynamic, u32 maps)
{
	struct dma_buf_attachment *attach;
	int ret = 0;

	if (dynamic)
		attach = dma_buf_dynamic_attach(dmabuf, &pdev->dev,
						&bench_dynamic_ops, NULL);
	else
		attach = dma_buf_attach(dmabuf, &pdev->dev);
	if (IS_ERR(attach))
		return PTR_ERR(attach);

	while (maps-- && !ret)
		ret = map_and_unmap(attach);

	dma_buf_detach(dmabuf, attach);
	return ret;
}

static long ioctl_import(void __user *user)
{
	struct dma_buf_bench arg;
	struct dma_buf *dmabuf;
	int ret = 0;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;

	dmabuf = dma_buf_get(arg.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	while (arg.attachments-- && !ret)
		ret = import(dmabuf, arg.dynamic, arg.maps);
	dma_buf_put(dmabuf);
	return ret;
}

static long ioctl_describe(void __user *user)
{
	struct dma_buf_bench_describe arg;
	struct dma_buf *dmabuf;
	int ret;

	if (copy_from_user(&arg, user, sizeof(arg)))
		return -EFAULT;

	dmabuf = dma_buf_get(arg.fd);
	if (IS_ERR(dmabuf))
		return PTR_ERR(dmabuf);

	ret = bench_describe(dmabuf, &pdev->dev, &arg);
	dma_buf_put(dmabuf);
	if (!ret && copy_to_user(user, &arg, sizeof(arg)))
		ret = -EFAULT;
	return ret;
}

static long bench_ioctl(struct file *file, unsigned int cmd, unsigned long data)
{
	void __user *user = (void __user *)data;

	switch (cmd) {
	case DMA_BUF_BENCH_IMPORT:
		return ioctl_import(user);
	case DMA_BUF_BENCH_DESCRIBE:
		return ioctl_describe(user);
	case DMA_BUF_BENCH_REVOKE_BEGIN:
		return bench_revoke_begin(&pdev->dev, data);
	case DMA_BUF_BENCH_REVOKE:
		return bench_revoke();
	case DMA_BUF_BENCH_REVOKE_END:
		return bench_revoke_end();
	}
	return -ENOTTY;
}

static const struct file_operations bench_fops = {
	.owner = THIS_MODULE,
	.unlocked_ioctl = bench_ioctl,
	.mmap = bench_bar_mmap,
};

static struct miscdevice bench_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "dma_buf_bench",
	.fops = &bench_fops,
};

static int __init bench_init(void)
{
	const struct platform_device_info info = {
		.name = "dma_buf_bench",
		.id = PLATFORM_DEVID_NONE,
		/* Reaches all memory, or swiotlb would be measured. */
		.dma_mask = DMA_BIT_MASK(64),
	};
	int ret;

	pdev = platform_device_register_full(&info);
	if (IS_ERR(pdev))
		return PTR_ERR(pdev);

	ret = misc_register(&bench_misc);
	if (ret)
		platform_device_unregister(pdev);
	return ret;
}
module_init(bench_init);

static void __exit bench_exit(void)
{
	misc_deregister(&bench_misc);
	platform_device_unregister(pdev);
}
module_exit(bench_exit);

MODULE_DESCRIPTION("Importer of dma-bufs for make bench");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
