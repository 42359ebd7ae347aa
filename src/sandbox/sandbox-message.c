/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sandbox-message.c: sendmsg(2) and recvmsg(2) with SCM_RIGHTS (unix(7)). GIO's GUnixFDMessage
 * allocates, and names no socket that is not a GSocket: these have none.
 */
#include "sandbox-message.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>

typedef union {
    struct cmsghdr header;
    guint8 bytes[CMSG_SPACE(SANDBOX_MESSAGE_FDS_MAX * sizeof(int))];
} Control;

gboolean sandbox_message_send(int socket, gconstpointer data, gsize len, const int *fds,
                              guint n_fds, int flags)
{
    struct iovec iov = {(gpointer) data, len};
    Control control = {0};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    struct cmsghdr *header;

    if (n_fds > 0) {
        message.msg_control = control.bytes;
        message.msg_controllen = CMSG_SPACE(n_fds * sizeof *fds);
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(n_fds * sizeof *fds);
        memcpy(CMSG_DATA(header), fds, n_fds * sizeof *fds);
    }
    return sendmsg(socket, &message, flags | MSG_NOSIGNAL) == (gssize) len;
}

gboolean sandbox_message_receive(int socket, gpointer data, gsize len,
                                 int fds[SANDBOX_MESSAGE_FDS_MAX], guint *n_fds)
{
    struct iovec iov = {data, len};
    Control control;
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.bytes,
        .msg_controllen = sizeof control.bytes,
    };
    struct cmsghdr *header;
    gssize n;

    *n_fds = 0;
    do
        n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    header = n < 0 ? NULL : CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_level == SOL_SOCKET && header->cmsg_type == SCM_RIGHTS) {
        *n_fds = (guint) ((header->cmsg_len - CMSG_LEN(0)) / sizeof *fds);
        memcpy(fds, CMSG_DATA(header), *n_fds * sizeof *fds);
    }
    return n == (gssize) len;
}
