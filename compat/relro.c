// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * relro.c - makes PT_GNU_RELRO read-only, in an executable with musl
 *
 * A dynamic linker, and glibc's start code of a static executable, protect this part of the data
 * (the GOT, tables of pointers) after they have relocated it.  musl's start code of a static
 * executable relocates it (rcrt1.o), and leaves it writable.  elf(5), ld(1) -z relro
 */
#include <elf.h>
#include <link.h>
#include <stdint.h>
#include <sys/auxv.h>
#include <sys/mman.h>

/* The linker defines it: the ELF header, at the start of the executable in memory. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

__attribute__((constructor)) static void protect_relro(void)
{
	const ElfW(Phdr) *ph = (const void *)((const char *)&__ehdr_start + __ehdr_start.e_phoff);
	uintptr_t page = getauxval(AT_PAGESZ), base = (uintptr_t)&__ehdr_start, from, to;

	for (unsigned i = 0; i < __ehdr_start.e_phnum; i++)
		if (ph[i].p_type == PT_LOAD && !ph[i].p_offset)
			base -= ph[i].p_vaddr;
	for (unsigned i = 0; i < __ehdr_start.e_phnum; i++) {
		if (ph[i].p_type != PT_GNU_RELRO || !page)
			continue;
		/* Whole pages: the linker pads the part to the end of a page of the usual size. */
		from = (base + ph[i].p_vaddr) & ~(page - 1);
		to = (base + ph[i].p_vaddr + ph[i].p_memsz) & ~(page - 1);
		if (to > from)
			(void)mprotect((void *)from, to - from, PROT_READ);
	}
}
