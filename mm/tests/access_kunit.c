// SPDX-License-Identifier: GPL-2.0-only
/*
 * KUnit: what vm_ops->access is called for
 *
 * A debugger's accesses to a mapping without pages. Whether they may write
 * depends on how the file was opened, not on the protection of the mapping.
 */

#include <kunit/test.h>
#include <linux/anon_inodes.h>
#include <linux/err.h>
#include <linux/fcntl.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched.h>
#include <linux/string.h>

#define NR_PAGES	2
#define SIZE		(NR_PAGES * PAGE_SIZE)
#define OLD		0x5a5a5a5aUL
#define NEW		0xc3c3c3c3UL

/* The memory behind the file, and what ->mmap does to the flags of the VMA */
struct object {
	unsigned long word;
	vm_flags_t clear;
	int nr_calls;
	int last_len;
};

static int object_access(struct vm_area_struct *vma, unsigned long addr,
			 void *buf, int len, int write)
{
	struct object *obj = vma->vm_private_data;
	int n = min_t(int, len, sizeof(obj->word));

	obj->nr_calls++;
	obj->last_len = len;
	if (write)
		memcpy(&obj->word, buf, n);
	else
		memcpy(buf, &obj->word, n);
	return len;
}

static const struct vm_operations_struct object_vm_ops = {
	.access = object_access,
};

static int object_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct object *obj = file->private_data;

	vma->vm_private_data = obj;
	vma->vm_ops = &object_vm_ops;
	vm_flags_mod(vma, VM_PFNMAP, obj->clear);
	return 0;
}

static const struct file_operations object_fops = {
	.mmap = object_mmap,
};

static int access_init(struct kunit *test)
{
	if (!IS_ENABLED(CONFIG_HAVE_IOREMAP_PROT))
		kunit_skip(test, "vm_ops->access needs HAVE_IOREMAP_PROT");
	KUNIT_ASSERT_EQ(test, 0, kunit_attach_mm());
	return 0;
}

KUNIT_DEFINE_ACTION_WRAPPER(put_file, fput, struct file *);

static unsigned long map(struct kunit *test, struct object *obj, int open_flags,
			 unsigned long prot, unsigned long flags)
{
	unsigned long addr;
	struct file *file;

	obj->word = OLD;
	file = anon_inode_getfile("access-test", &object_fops, obj, open_flags);
	KUNIT_ASSERT_NOT_ERR_OR_NULL(test, file);
	KUNIT_ASSERT_EQ(test, 0, kunit_add_action_or_reset(test, put_file, file));
	addr = kunit_vm_mmap(test, file, 0, SIZE, prot, flags, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	return addr;
}

static void expect_written(struct kunit *test, struct object *obj,
			   unsigned long addr)
{
	unsigned long word = NEW;

	KUNIT_EXPECT_EQ(test, (int)sizeof(word),
			access_remote_vm(current->mm, addr, &word, sizeof(word),
					 FOLL_FORCE | FOLL_WRITE));
	KUNIT_EXPECT_EQ(test, NEW, obj->word);
}

static void expect_refused(struct kunit *test, struct object *obj,
			   unsigned long addr)
{
	unsigned long word = NEW;
	int calls = obj->nr_calls;

	KUNIT_EXPECT_EQ(test, 0,
			access_remote_vm(current->mm, addr, &word, sizeof(word),
					 FOLL_FORCE | FOLL_WRITE));
	KUNIT_EXPECT_EQ(test, OLD, obj->word);
	KUNIT_EXPECT_EQ(test, calls, obj->nr_calls);

	/* A read is another matter. */
	KUNIT_EXPECT_EQ(test, (int)sizeof(word),
			access_remote_vm(current->mm, addr, &word, sizeof(word),
					 FOLL_FORCE));
	KUNIT_EXPECT_EQ(test, OLD, word);
}

static void shared_and_inaccessible(struct kunit *test)
{
	struct object obj = {};

	expect_written(test, &obj, map(test, &obj, O_RDWR, PROT_NONE,
				       MAP_SHARED));
}

static void shared_and_readable(struct kunit *test)
{
	struct object obj = {};

	expect_written(test, &obj, map(test, &obj, O_RDWR, PROT_READ,
				       MAP_SHARED));
}

static void shared_of_a_file_open_for_reading(struct kunit *test)
{
	struct object obj = {};

	expect_refused(test, &obj, map(test, &obj, O_RDONLY, PROT_READ,
				       MAP_SHARED));
}

/* As amdgpu_gem_object_mmap() leaves invisible VRAM, for ROCm's debugger */
static void private_without_maywrite(struct kunit *test)
{
	struct object obj = { .clear = VM_MAYWRITE };

	expect_written(test, &obj, map(test, &obj, O_RDWR, PROT_NONE,
				       MAP_PRIVATE));
}

static void private_without_maywrite_open_for_reading(struct kunit *test)
{
	struct object obj = { .clear = VM_MAYWRITE };

	expect_refused(test, &obj, map(test, &obj, O_RDONLY, PROT_NONE,
				       MAP_PRIVATE));
}

/* It has VM_MAYWRITE whatever the file's mode is: a write makes a copy. */
static void private_open_for_reading(struct kunit *test)
{
	struct object obj = {};

	expect_refused(test, &obj, map(test, &obj, O_RDONLY,
				       PROT_READ | PROT_WRITE, MAP_PRIVATE));
}

/* The next VMA is somebody else's. */
static void length_ends_with_the_vma(struct kunit *test)
{
	struct object obj = {};
	unsigned long addr = map(test, &obj, O_RDWR, PROT_READ, MAP_SHARED);
	unsigned long words[2] = {};

	KUNIT_EXPECT_EQ(test, (int)sizeof(words[0]),
			access_remote_vm(current->mm,
					 addr + SIZE - sizeof(words[0]), words,
					 sizeof(words), FOLL_FORCE));
	KUNIT_EXPECT_EQ(test, (int)sizeof(words[0]), obj.last_len);
	KUNIT_EXPECT_EQ(test, OLD, words[0]);
	KUNIT_EXPECT_EQ(test, 0UL, words[1]);
}

static struct kunit_case access_cases[] = {
	KUNIT_CASE(shared_and_inaccessible),
	KUNIT_CASE(shared_and_readable),
	KUNIT_CASE(shared_of_a_file_open_for_reading),
	KUNIT_CASE(private_without_maywrite),
	KUNIT_CASE(private_without_maywrite_open_for_reading),
	KUNIT_CASE(private_open_for_reading),
	KUNIT_CASE(length_ends_with_the_vma),
	{}
};

static struct kunit_suite access_suite = {
	.name = "vma-access",
	.init = access_init,
	.test_cases = access_cases,
};

kunit_test_suite(access_suite);
