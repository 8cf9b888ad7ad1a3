// SPDX-License-Identifier: GPL-2.0-or-later
/*
 * relr.c - applies packed relocations (DT_RELR) at the start of an executable with musl
 *
 * A relocation takes 24 bytes in .rela.dyn, and about a byte in .relr.dyn.  musl's start code
 * of a static executable (rcrt1.o) applies .relr.dyn since musl 1.2.4; the code of older ones
 * ignores it.  --wrap calls the function here between rcrt1.o and __libc_start_main().
 *
 * Until the relocations are applied, no pointer in memory may be used (GOT, tables), and there is
 * no thread-local storage, so that a function with a stack protector would crash.  The declarations
 * say `hidden`, because the compiler then takes addresses relative to the program counter.
 * System V ABI (gABI), "Relative Relocation Table"; ld(1) -z pack-relative-relocs
 */
#include <elf.h>
#include <link.h>
#include <stddef.h>
#include <stdint.h>

#define HIDDEN __attribute__((visibility("hidden")))

enum { TAG_RELRSZ = 35, TAG_RELR = 36 }; /* DT_RELRSZ and DT_RELR, which musl 1.2.3 lacks */

typedef int main_function(int argc, char **argv, char **environment);
typedef void hook_function(void);

// NOLINTNEXTLINE(readability-redundant-declaration): hidden, so that no relocation finds it
extern ElfW(Dyn) _DYNAMIC[] HIDDEN;
HIDDEN int main(int argc, char **argv, char **environment);
int __real___libc_start_main(main_function *function, int argc, char **argv, hook_function *init,
			     hook_function *fini, hook_function *ldso);
int __wrap___libc_start_main(main_function *function, int argc, char **argv, hook_function *init,
			     hook_function *fini, hook_function *ldso);

/* Contains its own address after the relocation, and its offset from the load address before. */
static const void *volatile const self = (const void *)(uintptr_t)&self;

/* gABI: an even entry is the offset of a relocated word, an odd one a bitmap of the words after. */
static void apply(uintptr_t base, const uintptr_t *entry, size_t count)
{
	uintptr_t *word = NULL;

	for (const uintptr_t *end = entry + count; entry < end; entry++) {
		if (!(*entry & 1)) {
			word = (uintptr_t *)(base + *entry);
			*word++ += base;
			continue;
		}
		if (!word)
			continue;
		for (uintptr_t bits = *entry >> 1; bits; bits &= bits - 1)
			word[__builtin_ctzl(bits)] += base;
		word += 8 * sizeof(*word) - 1;
	}
}

int __wrap___libc_start_main(main_function *function, int argc, char **argv, hook_function *init,
			     hook_function *fini, hook_function *ldso)
{
	uintptr_t base = (uintptr_t)&self - (uintptr_t)self, table = 0;
	size_t size = 0;

	/* 0: musl or ordinary relocations have relocated it. */
	for (const ElfW(Dyn) *d = _DYNAMIC; base && d->d_tag; d++) {
		if (d->d_tag == TAG_RELR)
			table = base + d->d_un.d_ptr;
		if (d->d_tag == TAG_RELRSZ)
			size = d->d_un.d_val;
	}
	apply(base, (const uintptr_t *)table, size / sizeof(uintptr_t));
	/* rcrt1.o may have read main's address from the GOT.  musl ignores the last three. */
	(void)function;
	return __real___libc_start_main(main, argc, argv, init, fini, ldso);
}
