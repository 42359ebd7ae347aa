/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * allocations.c: preloaded into culvert, counts how often its packet threads ask for memory. The
 * count is in the file that LAB_ALLOCATIONS names, a 64-bit number in the host's byte order;
 * several processes may add to it.
 */
#include <errno.h>
#include <fcntl.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

#define EXPORT __attribute__((visibility("default")))

#define THREAD           "culvert-packets" /* tunnel-worker.c */
#define THREAD_NAME_SIZE 16                /* prctl(2), PR_GET_NAME */

/* What is behind malloc() in the GNU C library. dlsym() would itself ask for memory. */
extern void *__libc_malloc(size_t size);
extern void *__libc_calloc(size_t n, size_t size);
extern void *__libc_realloc(void *memory, size_t size);
extern void *__libc_memalign(size_t alignment, size_t size);

static _Atomic uint64_t *counter;

__attribute__((constructor)) static void open_counter(void)
{
    const char *path = getenv("LAB_ALLOCATIONS");
    int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
    void *memory = MAP_FAILED;

    if (fd >= 0)
        memory = mmap(NULL, sizeof *counter, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    if (memory == MAP_FAILED)
        abort();
    close(fd);
    counter = memory;
}

static void count(void)
{
    char name[THREAD_NAME_SIZE] = "";

    if (counter && prctl(PR_GET_NAME, name) == 0 && strcmp(name, THREAD) == 0)
        atomic_fetch_add(counter, 1);
}

EXPORT void *malloc(size_t size)
{
    count();
    return __libc_malloc(size);
}

EXPORT void *calloc(size_t n, size_t size)
{
    count();
    return __libc_calloc(n, size);
}

EXPORT void *realloc(void *memory, size_t size)
{
    count();
    return __libc_realloc(memory, size);
}

EXPORT void *memalign(size_t alignment, size_t size)
{
    count();
    return __libc_memalign(alignment, size);
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
    return memalign(alignment, size);
}

EXPORT int posix_memalign(void **memory, size_t alignment, size_t size)
{
    *memory = memalign(alignment, size);
    return *memory ? 0 : ENOMEM;
}
