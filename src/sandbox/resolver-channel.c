/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resolver-channel.c: one connected UDP socket to a name server, one socket to the process, and
 * datagrams between them, unread.
 *
 * The mark lets a datagram pass the kill switch, and being bound to an interface makes it pass the
 * tunnel's routes. The process could connect a socket of its own to anybody: so it gets none that
 * has either.
 */
#include "config.h"

#include "resolver-channel.h"

#include <errno.h>
#include <glib-unix.h>
#include <sys/socket.h>
#include <unistd.h>

#include "resolver-private.h"

/* The stub's tries at two queries each; more is nothing that it would send. */
#define QUERIES_MAX 10

/* For each of them, as many copies as a network may make. */
#define ANSWERS_MAX (4 * QUERIES_MAX)

struct _ResolverChannel {
    GSocket *server;
    int process; /* our end */
    int end;     /* the other one; -1: taken */
    GSource *from_server;
    GSource *from_process;
    guint queries;
    guint answers;
};

static gboolean from_process(int fd, GIOCondition condition, gpointer data)
{
    ResolverChannel *self = data;
    guint8 query[RESOLVER_DATAGRAM_MAX];
    gssize n = recv(fd, query, sizeof query, MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (n <= 0 || ++self->queries > QUERIES_MAX)
        return G_SOURCE_REMOVE;
    /* What cannot be sent is as good as lost. */
    g_socket_send(self->server, (const char *) query, (gsize) n, NULL, NULL);
    return G_SOURCE_CONTINUE;
}

static gboolean from_server(GSocket *server, GIOCondition condition, gpointer data)
{
    ResolverChannel *self = data;
    guint8 answer[RESOLVER_DATAGRAM_MAX];
    gssize n = g_socket_receive(server, (char *) answer, sizeof answer, NULL, NULL);

    /* Also an error, as of a server that is not there. */
    if (++self->answers > ANSWERS_MAX)
        return G_SOURCE_REMOVE;
    if (n > 0)
        (void) send(self->process, answer, (gsize) n, MSG_DONTWAIT | MSG_NOSIGNAL);
    return G_SOURCE_CONTINUE;
}

static GSocket *connect_server(GSocketAddress *server, guint ifindex, guint32 mark, GError **error)
{
    g_autoptr(GSocket) made = g_socket_new(g_socket_address_get_family(server),
                                           G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, error);

    if (!made)
        return NULL;
    g_socket_set_blocking(made, FALSE);
    /* Before it connects, which is when its own address is chosen. */
    if (!g_socket_set_option(made, SOL_SOCKET, SO_BINDTOIFINDEX, (int) ifindex, error) ||
        (mark != 0 && !g_socket_set_option(made, SOL_SOCKET, SO_MARK, (int) mark, error)) ||
        !g_socket_connect(made, server, NULL, error))
        return NULL;
    return g_steal_pointer(&made);
}

static void watch(ResolverChannel *self)
{
    self->from_server = g_socket_create_source(self->server, G_IO_IN, NULL);
    g_source_set_callback(self->from_server, G_SOURCE_FUNC(from_server), self, NULL);
    g_source_attach(self->from_server, NULL);
    self->from_process = g_unix_fd_source_new(self->process, G_IO_IN);
    g_source_set_callback(self->from_process, G_SOURCE_FUNC(from_process), self, NULL);
    g_source_attach(self->from_process, NULL);
}

ResolverChannel *resolver_channel_new(GSocketAddress *server, guint ifindex, guint32 mark,
                                      GError **error)
{
    g_autoptr(GSocket) made = connect_server(server, ifindex, mark, error);
    ResolverChannel *self;
    int fds[2], errsv;

    if (!made)
        return NULL;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, fds) != 0) {
        errsv = errno;
        g_set_error_literal(error, G_IO_ERROR, g_io_error_from_errno(errsv), g_strerror(errsv));
        return NULL;
    }
    self = g_new0(ResolverChannel, 1);
    self->server = g_steal_pointer(&made);
    self->process = fds[0];
    self->end = fds[1];
    watch(self);
    return self;
}

static void destroy(GSource *source)
{
    g_source_destroy(source);
    g_source_unref(source);
}

void resolver_channel_free(ResolverChannel *self)
{
    destroy(self->from_server);
    destroy(self->from_process);
    g_object_unref(self->server);
    close(self->process);
    if (self->end >= 0)
        close(self->end);
    g_free(self);
}

int resolver_channel_take_end(ResolverChannel *self)
{
    int end = self->end;

    self->end = -1;
    return end;
}
