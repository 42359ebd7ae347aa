/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-netns.c: asks the process that may enter namespaces, or, in one that is not confined, a
 * thread of its own: a socket belongs to the namespace of the thread that makes it.
 */
#include "config.h"

#include "culvert-netns.h"

#include <errno.h>
#include <sched.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "netns-private.h"

/* Of the process; -1: there is none. Written before there is a second thread. */
int netns_process_fd = -1;

/* ---- Here ----------------------------------------------------------------------------------- */

typedef struct {
    int netns;
    NetnsQuestion question;
    int fd;
    int errsv;
} Elsewhere;

static gpointer make_elsewhere(gpointer data)
{
    Elsewhere *there = data;

    if (setns(there->netns, CLONE_NEWNET) == 0)
        there->fd = socket(there->question.domain, there->question.type, there->question.protocol);
    there->errsv = errno;
    return NULL;
}

static int socket_by_thread(int netns, const NetnsQuestion *question)
{
    Elsewhere there = {.netns = netns, .question = *question, .fd = -1};

    g_thread_join(g_thread_new("netns", make_elsewhere, &there));
    errno = there.errsv;
    return there.fd;
}

/* ---- Messages ------------------------------------------------------------------------------- */

gboolean netns_send(int socket, gconstpointer data, gsize len, int fd)
{
    struct iovec iov = {(gpointer) data, len};
    _Alignas(struct cmsghdr) guint8 control[CMSG_SPACE(sizeof fd)] = {0};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};
    struct cmsghdr *header;

    if (fd >= 0) {
        message.msg_control = control;
        message.msg_controllen = sizeof control;
        header = CMSG_FIRSTHDR(&message);
        header->cmsg_level = SOL_SOCKET;
        header->cmsg_type = SCM_RIGHTS;
        header->cmsg_len = CMSG_LEN(sizeof fd);
        memcpy(CMSG_DATA(header), &fd, sizeof fd);
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL) == (gssize) len;
}

gboolean netns_receive(int socket, gpointer data, gsize len, int *fd)
{
    struct iovec iov = {data, len};
    _Alignas(struct cmsghdr) guint8 control[CMSG_SPACE(sizeof *fd)];
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control,
        .msg_controllen = sizeof control,
    };
    struct cmsghdr *header;
    gssize n;

    *fd = -1;
    do
        n = recvmsg(socket, &message, MSG_CMSG_CLOEXEC);
    while (n < 0 && errno == EINTR);
    if (n != (gssize) len)
        return FALSE;
    header = CMSG_FIRSTHDR(&message);
    if (header && header->cmsg_type == SCM_RIGHTS && header->cmsg_len == CMSG_LEN(sizeof *fd))
        memcpy(fd, CMSG_DATA(header), sizeof *fd);
    return TRUE;
}

static int socket_by_process(int netns, const NetnsQuestion *question)
{
    NetnsAnswer answer = {.errsv = EPIPE};
    int fd = -1;

    if (!netns_send(netns_process_fd, question, sizeof *question, netns) ||
        !netns_receive(netns_process_fd, &answer, sizeof answer, &fd) || fd < 0)
        errno = answer.errsv;
    return fd;
}

int culvert_netns_socket(int netns, int domain, int type, int protocol)
{
    const NetnsQuestion question = {domain, type, protocol};

    return netns_process_fd >= 0 ? socket_by_process(netns, &question)
                                 : socket_by_thread(netns, &question);
}
