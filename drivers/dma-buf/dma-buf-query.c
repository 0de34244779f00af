// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attachment modes and the revoked state, as userspace sees them:
 * DMA_BUF_IOCTL_QUERY, fdinfo and bufinfo
 */

#include <linux/build_bug.h>
#include <linux/device.h>
#include <linux/dma-buf.h>
#include <linux/ioctl.h>
#include <linux/list.h>
#include <linux/seq_file.h>
#include <linux/uaccess.h>

#include "dma-buf-internal.h"

static_assert(sizeof(struct dma_buf_query) == DMA_BUF_QUERY_SIZE_VER0);

/**
 * dma_buf_is_query - is this ioctl %DMA_BUF_IOCTL_QUERY?
 * @cmd:	the ioctl, with the size of the caller's struct in it
 *
 * Return: true if it is, whatever the size.
 */
bool dma_buf_is_query(unsigned int cmd)
{
	return extensible_ioctl_valid(cmd, DMA_BUF_IOCTL_QUERY, 0);
}

/**
 * dma_buf_query - %DMA_BUF_IOCTL_QUERY
 * @dmabuf:	the buffer
 * @cmd:	the ioctl, with the size of the caller's struct in it
 * @arg:	userspace pointer to that struct
 *
 * Context: Process context, may sleep. Takes no lock.
 * Return: 0, -EINVAL if the struct is too small or flags or reserved are set,
 * -E2BIG if a field that this kernel doesn't know is not zero, or -EFAULT.
 */
long dma_buf_query(struct dma_buf *dmabuf, unsigned int cmd, unsigned long arg)
{
	void __user *user = (void __user *)arg;
	struct dma_buf_query query;
	size_t size = _IOC_SIZE(cmd);
	int ret;

	if (size < DMA_BUF_QUERY_SIZE_VER0)
		return -EINVAL;

	ret = copy_struct_from_user(&query, sizeof(query), user, size);
	if (ret)
		return ret;

	if (query.flags || query.reserved)
		return -EINVAL;

	query.modes = dma_buf_offered_modes(dmabuf);
	query.revoked = dma_buf_revoke_state(dmabuf);

	return copy_struct_to_user(user, size, &query, sizeof(query), NULL);
}

static void show_modes(struct seq_file *m, u32 modes)
{
	const char *space = "";

	if (modes & DMA_BUF_MODE_PINNED) {
		seq_puts(m, "pinned");
		space = " ";
	}
	if (modes & DMA_BUF_MODE_REVOCABLE) {
		seq_printf(m, "%srevocable", space);
		space = " ";
	}
	if (modes & DMA_BUF_MODE_MOVABLE)
		seq_printf(m, "%smovable", space);
}

/**
 * dma_buf_show_fdinfo_modes - lines of /proc/pid/fdinfo on modes and revoke
 * @m:		the file
 * @dmabuf:	the buffer
 *
 * Context: Process context. Takes no lock.
 */
void dma_buf_show_fdinfo_modes(struct seq_file *m, const struct dma_buf *dmabuf)
{
	static const char * const revoked[] = {
		[DMA_BUF_REVOKED_NO] = "no",
		[DMA_BUF_REVOKED_NOW] = "now",
		[DMA_BUF_REVOKED_PERMANENT] = "permanent",
	};

	seq_puts(m, "modes:\t");
	show_modes(m, dma_buf_offered_modes(dmabuf));
	seq_printf(m, "\nrevoked:\t%s\n", revoked[dma_buf_revoke_state(dmabuf)]);
}

#ifdef CONFIG_DEBUG_FS
/**
 * dma_buf_show_bufinfo_attachment - the line on an attachment in debugfs bufinfo
 * @m:		the file
 * @attach:	an attachment on the buffer's list
 *
 * Context: Process context. Holds the reservation lock.
 */
void dma_buf_show_bufinfo_attachment(struct seq_file *m,
				     struct dma_buf_attachment *attach)
{
	size_t nr_pfn_mappings = hlist_count_nodes(&attach->pfn_mappings);
	size_t nr_mappings = dma_buf_attach_nr_mappings(attach);
	size_t pins = attach->pins;

	/* Importers without ops are pinned once for each mapping. */
	if (!attach->importer_ops)
		pins = nr_mappings;

	seq_printf(m, "\t%s\tattach-mode: ", dma_buf_attachment_name(attach));
	show_modes(m, attach->mode);
	seq_printf(m, "\tpins: %zu\tmappings: %zu", pins, nr_mappings);
	if (nr_pfn_mappings)
		seq_printf(m, "\tPFN mappings: %zu", nr_pfn_mappings);
	seq_putc(m, '\n');
}
#endif
