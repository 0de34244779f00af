// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: /dev/dma_buf_test and its ioctls
 */

#include <linux/array_size.h>
#include <linux/build_bug.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "test-device.h"

/* 32-bit callers have the same structs, so nothing must depend on padding. */
static_assert(sizeof(struct dma_buf_test_export) == 24);
static_assert(sizeof(struct dma_buf_test_attach) == 20);
static_assert(sizeof(struct dma_buf_test_importer) == 4);
static_assert(sizeof(struct dma_buf_test_dma) == 32);
static_assert(sizeof(struct dma_buf_test_vmap) == 32);
static_assert(sizeof(struct dma_buf_test_importer_info) == 64);
static_assert(sizeof(struct dma_buf_test_exclusive) == 32);
static_assert(sizeof(struct dma_buf_test_pfn_open) == 8);
static_assert(sizeof(struct dma_buf_test_pfn_range) == 40);
static_assert(sizeof(struct dma_buf_test_pfn_query) == 40);
static_assert(sizeof(struct dma_buf_test_buffer) == 4);
static_assert(sizeof(struct dma_buf_test_lie) == 16);
static_assert(sizeof(struct dma_buf_test_revoke) == 16);
static_assert(sizeof(struct dma_buf_test_buffer_info) == 44);
static_assert(sizeof(struct dma_buf_test_dma_mask) == 8);

static int dbt_open(struct inode *inode, struct file *filp)
{
	struct dbt_file *file = kzalloc_obj(*file);

	if (!file)
		return -ENOMEM;

	/* No importer is number 0, so that a forgotten id is noticed. */
	xa_init_flags(&file->importers, XA_FLAGS_ALLOC1);
	filp->private_data = file;
	return nonseekable_open(inode, filp);
}

static int dbt_release(struct inode *inode, struct file *filp)
{
	struct dbt_file *file = filp->private_data;

	/* An ioctl holds a reference to the file, so none is running. */
	dbt_importer_put_all(file);
	xa_destroy(&file->importers);
	kfree(file);
	return 0;
}

static const struct dbt_ioctl {
	unsigned int cmd;
	long (*func)(struct dbt_file *file, union dbt_arg *arg);
} dbt_ioctls[] = {
	{ DMA_BUF_TEST_EXPORT,		dbt_ioctl_export },
	{ DMA_BUF_TEST_ATTACH,		dbt_ioctl_attach },
	{ DMA_BUF_TEST_DETACH,		dbt_ioctl_detach },
	{ DMA_BUF_TEST_PIN,		dbt_ioctl_pin },
	{ DMA_BUF_TEST_UNPIN,		dbt_ioctl_unpin },
	{ DMA_BUF_TEST_MAP,		dbt_ioctl_map },
	{ DMA_BUF_TEST_UNMAP,		dbt_ioctl_unmap },
	{ DMA_BUF_TEST_DMA,		dbt_ioctl_dma },
	{ DMA_BUF_TEST_IMPORTER_INFO,	dbt_ioctl_importer_info },
	{ DMA_BUF_TEST_PFN_OPEN,	dbt_ioctl_pfn_open },
	{ DMA_BUF_TEST_PFN_CLOSE,	dbt_ioctl_pfn_close },
	{ DMA_BUF_TEST_PFN_QUERY,	dbt_ioctl_pfn_query },
	{ DMA_BUF_TEST_VMAP,		dbt_ioctl_vmap },
	{ DMA_BUF_TEST_MOVE,		dbt_ioctl_move },
	{ DMA_BUF_TEST_LIE,		dbt_ioctl_lie },
	{ DMA_BUF_TEST_REVOKE,		dbt_ioctl_revoke },
	{ DMA_BUF_TEST_BUFFER_INFO,	dbt_ioctl_buffer_info },
	{ DMA_BUF_TEST_SET_DMA_MASK,	dbt_ioctl_dma_mask },
	{ DMA_BUF_TEST_TAKE,		dbt_ioctl_take },
	{ DMA_BUF_TEST_DROP,		dbt_ioctl_drop },
	{ DMA_BUF_TEST_COUNT,		dbt_ioctl_count },
};

static const struct dbt_ioctl *find_ioctl(unsigned int cmd)
{
	for (size_t i = 0; i < ARRAY_SIZE(dbt_ioctls); i++)
		if (dbt_ioctls[i].cmd == cmd)
			return &dbt_ioctls[i];
	return NULL;
}

static long dbt_ioctl(struct file *filp, unsigned int cmd, unsigned long user)
{
	const struct dbt_ioctl *ioctl = find_ioctl(cmd);
	union dbt_arg arg;
	long ret;

	if (!ioctl)
		return -ENOTTY;
	if (copy_from_user(&arg, (void __user *)user, _IOC_SIZE(cmd)))
		return -EFAULT;

	ret = ioctl->func(filp->private_data, &arg);
	if (ret < 0 || !(_IOC_DIR(cmd) & _IOC_READ))
		return ret;
	if (copy_to_user((void __user *)user, &arg, _IOC_SIZE(cmd)))
		return -EFAULT;
	return ret;
}

static const struct file_operations dbt_fops = {
	.owner		= THIS_MODULE,
	.open		= dbt_open,
	.release	= dbt_release,
	.unlocked_ioctl	= dbt_ioctl,
	.compat_ioctl	= compat_ptr_ioctl,
};

static struct miscdevice dbt_misc = {
	.minor	= MISC_DYNAMIC_MINOR,
	.name	= "dma_buf_test",
	.fops	= &dbt_fops,
	.mode	= 0600,
};

static int __init dbt_init(void)
{
	int ret;

	ret = dbt_devices_register();
	if (ret)
		return ret;

	ret = dbt_dma_register();
	if (ret)
		goto err_devices;

	ret = dbt_mmio_register();
	if (ret)
		goto err_dma;

	ret = misc_register(&dbt_misc);
	if (ret)
		goto err_mmio;
	return 0;

err_mmio:
	dbt_mmio_unregister();
err_dma:
	dbt_dma_unregister();
err_devices:
	dbt_devices_unregister();
	return ret;
}
module_init(dbt_init);

/* Open files and buffers hold a reference to the module, so there are none. */
static void __exit dbt_exit(void)
{
	misc_deregister(&dbt_misc);
	dbt_mmio_unregister();
	dbt_dma_unregister();
	dbt_devices_unregister();
}
module_exit(dbt_exit);

MODULE_DESCRIPTION("dma-buf exporter and importer for tests");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
