// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: /dev/dma_buf_test and its ioctls
 */

#include <linux/build_bug.h>
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/slab.h>

#include "test-device.h"

/* 32-bit callers have the same structs, so nothing must depend on padding. */
static_assert(sizeof(struct dma_buf_test_export) == 32);
static_assert(sizeof(struct dma_buf_test_attach) == 32);
static_assert(sizeof(struct dma_buf_test_importer) == 8);
static_assert(sizeof(struct dma_buf_test_dma) == 32);
static_assert(sizeof(struct dma_buf_test_importer_info) == 40);
static_assert(sizeof(struct dma_buf_test_buffer) == 8);
static_assert(sizeof(struct dma_buf_test_revoke) == 8);
static_assert(sizeof(struct dma_buf_test_buffer_info) == 48);
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

static long dbt_ioctl(struct file *filp, unsigned int cmd, unsigned long arg)
{
	struct dbt_file *file = filp->private_data;
	void __user *user = (void __user *)arg;

	switch (cmd) {
	case DMA_BUF_TEST_EXPORT:
		return dbt_ioctl_export(user);
	case DMA_BUF_TEST_ATTACH:
		return dbt_ioctl_attach(file, user);
	case DMA_BUF_TEST_DETACH:
		return dbt_ioctl_detach(file, user);
	case DMA_BUF_TEST_PIN:
		return dbt_ioctl_pin(file, user);
	case DMA_BUF_TEST_UNPIN:
		return dbt_ioctl_unpin(file, user);
	case DMA_BUF_TEST_MAP:
		return dbt_ioctl_map(file, user);
	case DMA_BUF_TEST_UNMAP:
		return dbt_ioctl_unmap(file, user);
	case DMA_BUF_TEST_DMA:
		return dbt_ioctl_dma(file, user);
	case DMA_BUF_TEST_IMPORTER_INFO:
		return dbt_ioctl_importer_info(file, user);
	case DMA_BUF_TEST_MOVE:
		return dbt_ioctl_move(user);
	case DMA_BUF_TEST_REVOKE:
		return dbt_ioctl_revoke(user);
	case DMA_BUF_TEST_BUFFER_INFO:
		return dbt_ioctl_buffer_info(user);
	case DMA_BUF_TEST_SET_DMA_MASK:
		return dbt_ioctl_dma_mask(user);
	default:
		return -ENOTTY;
	}
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

	ret = misc_register(&dbt_misc);
	if (ret)
		dbt_devices_unregister();
	return ret;
}
module_init(dbt_init);

/* Open files and buffers hold a reference to the module, so there are none. */
static void __exit dbt_exit(void)
{
	misc_deregister(&dbt_misc);
	dbt_devices_unregister();
}
module_exit(dbt_exit);

MODULE_DESCRIPTION("dma-buf exporter and importer for tests");
MODULE_LICENSE("GPL");
MODULE_IMPORT_NS("DMA_BUF");
