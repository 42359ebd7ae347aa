/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * faults.c: preloaded into culvert, makes the kernel look older, or refuse what it usually takes.
 * LAB_FAULTS names what, with commas between: see refused(). This kernel cannot be made to do so
 * for real.
 */
#include <dlfcn.h>
#include <errno.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>

/* Since Linux 6.2. */
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40

#define EXPORT __attribute__((visibility("default")))

static bool refused(const char *what)
{
    const char *faults = getenv("LAB_FAULTS");
    const char *found = faults ? strstr(faults, what) : NULL;
    size_t len = strlen(what);

    return found && (found[len] == '\0' || found[len] == ',');
}

static int fail(int error)
{
    errno = error;
    return -1;
}

/* "no-segments": Linux before 4.18. "no-gro": before 5.0. */
EXPORT int setsockopt(int fd, int level, int name, const void *value, socklen_t size)
{
    int (*real)(int, int, int, const void *, socklen_t) = dlsym(RTLD_NEXT, "setsockopt");

    if (level == IPPROTO_UDP && name == UDP_SEGMENT && refused("no-segments"))
        return fail(ENOPROTOOPT);
    if (level == IPPROTO_UDP && name == UDP_GRO && refused("no-gro"))
        return fail(ENOPROTOOPT);
    return real(fd, level, name, value, size);
}

static bool has_segments(const struct msghdr *message)
{
    struct msghdr *writable = (struct msghdr *) message;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(writable); c; c = CMSG_NXTHDR(writable, c)) {
        if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_SEGMENT)
            return true;
    }
    return false;
}

/* "segments-eio": an interface that cannot checksum, before 6.11. "segments-einval": larger than
 * the path's MTU. */
EXPORT ssize_t sendmsg(int fd, const struct msghdr *message, int flags)
{
    ssize_t (*real)(int, const struct msghdr *, int) = dlsym(RTLD_NEXT, "sendmsg");

    if (has_segments(message) && refused("segments-eio"))
        return fail(EIO);
    if (has_segments(message) && refused("segments-einval"))
        return fail(EINVAL);
    return real(fd, message, flags);
}

/* "no-uso": before 6.2. "no-tun-offload": a kernel without any. "no-steering": before 4.16. */
EXPORT int ioctl(int fd, unsigned long request, ...)
{
    int (*real)(int, unsigned long, unsigned long) = dlsym(RTLD_NEXT, "ioctl");
    unsigned long argument;
    va_list arguments;

    va_start(arguments, request);
    argument = va_arg(arguments, unsigned long);
    va_end(arguments);
    if (request == TUNSETOFFLOAD && refused("no-tun-offload"))
        return fail(EINVAL);
    if (request == TUNSETOFFLOAD && (argument & (TUN_F_USO4 | TUN_F_USO6)) && refused("no-uso"))
        return fail(EINVAL);
    if (request == TUNSETSTEERINGEBPF && refused("no-steering"))
        return fail(EINVAL);
    return real(fd, request, argument);
}

/* "joined-write": 6.1.103 to 6.1.110, and 6.6.44 and some after it. */
EXPORT ssize_t writev(int fd, const struct iovec *iov, int n)
{
    ssize_t (*real)(int, const struct iovec *, int) = dlsym(RTLD_NEXT, "writev");
    const struct virtio_net_hdr *vnet = iov[0].iov_base;

    if (n > 1 && iov[0].iov_len == sizeof *vnet && vnet->gso_type != VIRTIO_NET_HDR_GSO_NONE &&
        refused("joined-write"))
        return fail(EINVAL);
    return real(fd, iov, n);
}
