// SPDX-License-Identifier: GPL-2.0-only
/*
 * The dma-buf test device: the devices that its importers attach
 */

#include <linux/device.h>
#include <linux/dma-map-ops.h>
#include <linux/dma-mapping.h>
#include <linux/err.h>
#include <linux/init.h>
#include <linux/limits.h>
#include <linux/platform_device.h>

#include "test-device.h"

/*
 * It has nothing to probe. A device without a driver would be "platform" in
 * the core's warnings, which name who is to blame by the driver.
 */
static struct platform_driver dbt_driver = {
	.driver = {
		.name			= "dma_buf_test",
		.suppress_bind_attrs	= true,
	},
};

static struct platform_device *dbt_devices[DMA_BUF_TEST_NR_DEVICES];
static unsigned int dbt_importers[DMA_BUF_TEST_NR_DEVICES];
/* Protects dbt_importers and the DMA masks. */
static DEFINE_MUTEX(dbt_devices_lock);

void dbt_devices_unregister(void)
{
	int i;

	for (i = 0; i < DMA_BUF_TEST_NR_DEVICES; i++)
		if (!IS_ERR_OR_NULL(dbt_devices[i]))
			platform_device_unregister(dbt_devices[i]);
	platform_driver_unregister(&dbt_driver);
}

int __init dbt_devices_register(void)
{
	int i, ret;

	ret = platform_driver_register(&dbt_driver);
	if (ret)
		return ret;

	for (i = 0; i < DMA_BUF_TEST_NR_DEVICES; i++) {
		const struct platform_device_info info = {
			.name = "dma_buf_test",
			.id = i,
			.dma_mask = DMA_BIT_MASK(64),
		};
		struct platform_device *pdev;

		pdev = platform_device_register_full(&info);
		dbt_devices[i] = pdev;
		if (IS_ERR(pdev)) {
			dbt_devices_unregister();
			return PTR_ERR(pdev);
		}

		/* No hardware does the DMA, so nothing limits a segment. */
		dma_set_max_seg_size(&pdev->dev, UINT_MAX);
		dma_set_seg_boundary(&pdev->dev, ULONG_MAX);
	}
	return 0;
}

/**
 * dbt_device_get - a device to attach
 * @index:	which one, as in &struct dma_buf_test_attach
 *
 * Its DMA mask stays as it is until dbt_device_put().
 *
 * Return: the device, NULL for %DMA_BUF_TEST_NO_DEVICE, or ERR_PTR(-EINVAL).
 */
struct device *dbt_device_get(u32 index)
{
	if (index == DMA_BUF_TEST_NO_DEVICE)
		return NULL;
	if (index >= DMA_BUF_TEST_NR_DEVICES)
		return ERR_PTR(-EINVAL);

	guard(mutex)(&dbt_devices_lock);
	dbt_importers[index]++;
	return &dbt_devices[index]->dev;
}

/**
 * dbt_device_put - undo dbt_device_get(), after the detach
 * @index:	which one
 */
void dbt_device_put(u32 index)
{
	if (index == DMA_BUF_TEST_NO_DEVICE)
		return;

	guard(mutex)(&dbt_devices_lock);
	dbt_importers[index]--;
}

/**
 * dbt_device_is_direct - do DMA addresses of a device stand for physical ones?
 * @dev:	the device
 *
 * Return: false if there is an IOMMU, or something like it, in between.
 */
bool dbt_device_is_direct(struct device *dev)
{
	return !device_iommu_mapped(dev) && !get_dma_ops(dev);
}

long dbt_ioctl_dma_mask(struct dbt_file *file, union dbt_arg *arg)
{
	const struct dma_buf_test_dma_mask *mask = &arg->dma_mask;

	if (mask->device >= DMA_BUF_TEST_NR_DEVICES)
		return -EINVAL;
	if (mask->bits < 1 || mask->bits > 64)
		return -EINVAL;

	guard(mutex)(&dbt_devices_lock);
	if (dbt_importers[mask->device])
		return -EBUSY;
	return dma_set_mask_and_coherent(&dbt_devices[mask->device]->dev,
					 DMA_BIT_MASK(mask->bits));
}
