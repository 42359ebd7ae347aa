/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wipe-free.c: free() and realloc() that leave nothing behind, in place of the C library's, for the
 * whole process.
 *
 * A key reaches the service through GDBus, GVariant and libnm, each of which copies it and frees
 * the copy as it is. None of them can be told to wipe; but all of them free memory through here.
 * Packets are moved without allocating, so this costs the data path nothing.
 *
 * The C library lets a program replace them (its manual, "Replacing malloc"), and glibc keeps its
 * own under the names below. Memory that a larger structure recycles itself, as GLib's slices do,
 * is not seen here.
 */
#include <errno.h>
#include <malloc.h>
#include <stdint.h>
#include <string.h>

extern void *__libc_malloc(size_t size);
extern void __libc_free(void *memory);

#define REPLACEMENT __attribute__((visibility("default")))

REPLACEMENT void free(void *memory)
{
    int errsv = errno;

    if (!memory)
        return;
    explicit_bzero(memory, malloc_usable_size(memory));
    __libc_free(memory);
    errno = errsv;
}

/* The C library's would move to another place and free the old one within itself. */
REPLACEMENT void *realloc(void *memory, size_t size)
{
    size_t old = memory ? malloc_usable_size(memory) : 0;
    void *moved;

    if (memory && size == 0) {
        free(memory);
        return NULL;
    }
    if (memory && size <= old && size >= old / 2)
        return memory;
    moved = __libc_malloc(size);
    if (moved && memory) {
        memcpy(moved, memory, size < old ? size : old);
        free(memory);
    }
    return moved;
}
