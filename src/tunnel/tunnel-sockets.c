/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-sockets.c: the UDP sockets: opening them on one port, and their endpoints in GIO's words.
 */
#include "config.h"

#include "tunnel-private.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <netinet/in.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

/* A free port for IPv4 may be taken for IPv6: how often to try another (kernel: socket.c). */
#define PORT_TRIES 100

/* Room for bursts, which the kernel doubles, for its own data. What a stream of TCP can keep there
 * delays all else: of 300 pings beside one (iperf3, ping -i 0.008, two hosts on two cores) the 99th
 * percentile took 6.2 ms with 2 MiB to receive, 3.7 ms with 1 MiB, and 2.5 ms with half of that,
 * where the stream was a tenth slower. What is sent waits in the interface's queue: less than the
 * 1000 packets that the kernel's own WireGuard may leave there. */
#define RECEIVE_BUFFER_BYTES (1 << 20)
#define SEND_BUFFER_BYTES    (1 << 19)

/* ---- Opening -------------------------------------------------------------------------------- */

static void set_buffer(GSocket *socket, int force_option, int option, int bytes)
{
    /* Beyond the system's limit with CAP_NET_ADMIN, else as much as is allowed. */
    if (!g_socket_set_option(socket, SOL_SOCKET, force_option, bytes, NULL))
        g_socket_set_option(socket, SOL_SOCKET, option, bytes, NULL);
}

static void set_options(GSocket *socket, GSocketFamily family)
{
    set_buffer(socket, SO_RCVBUFFORCE, SO_RCVBUF, RECEIVE_BUFFER_BYTES);
    set_buffer(socket, SO_SNDBUFFORCE, SO_SNDBUF, SEND_BUFFER_BYTES);
    /* The outer packet may be fragmented, as the kernel's WireGuard has it: otherwise a path with
     * a smaller MTU swallows full-size packets. */
    if (family == G_SOCKET_FAMILY_IPV4) {
        g_socket_set_option(socket, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DONT, NULL);
        g_socket_set_option(socket, IPPROTO_IP, IP_PKTINFO, 1, NULL);
        g_socket_set_option(socket, IPPROTO_IP, IP_RECVTOS, 1, NULL);
    } else {
        g_socket_set_option(socket, IPPROTO_IPV6, IPV6_MTU_DISCOVER, IPV6_PMTUDISC_DONT, NULL);
        g_socket_set_option(socket, IPPROTO_IPV6, IPV6_RECVPKTINFO, 1, NULL);
        g_socket_set_option(socket, IPPROTO_IPV6, IPV6_RECVTCLASS, 1, NULL);
    }
}

static gboolean set_fwmark(GSocket *socket, guint32 fwmark, GError **error)
{
    if (g_socket_set_option(socket, SOL_SOCKET, SO_MARK, (gint) fwmark, error))
        return TRUE;
    g_prefix_error(error, _("Cannot set the firewall mark 0x%x on the UDP socket: "), fwmark);
    return FALSE;
}

/* How one socket is to be. */
typedef struct {
    guint16 port;
    guint32 fwmark;
    gboolean offload;
    gboolean shared; /* the port is taken by another pair of the same tunnel */
} Wanted;

static GSocket *open_one(GSocketFamily family, const Wanted *wanted, GError **error)
{
    g_autoptr(GSocket) socket =
        g_socket_new(family, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, error);
    g_autoptr(GInetAddress) any = g_inet_address_new_any(family);
    g_autoptr(GSocketAddress) address = g_inet_socket_address_new(any, wanted->port);

    if (!socket)
        return NULL;
    /* Each family has its own socket on the same port. */
    if (family == G_SOCKET_FAMILY_IPV6 &&
        !g_socket_set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1, error))
        return NULL;
    if (wanted->fwmark != 0 && !set_fwmark(socket, wanted->fwmark, error))
        return NULL;
    set_options(socket, family);
    if (!g_socket_bind(socket, address, wanted->shared, error)) {
        g_prefix_error(error, _("Cannot listen on UDP port %u: "), wanted->port);
        return NULL;
    }
    return g_steal_pointer(&socket);
}

static guint16 bound_port(GSocket *socket)
{
    g_autoptr(GSocketAddress) address = g_socket_get_local_address(socket, NULL);

    return address ? g_inet_socket_address_get_port(G_INET_SOCKET_ADDRESS(address)) : 0;
}

/* A machine may have either family alone. */
static gboolean family_missing(const GError *error)
{
    return g_error_matches(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED) ||
           g_error_matches(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT) ||
           /* IPv6 disabled for all interfaces: EADDRNOTAVAIL */
           (error->domain == G_IO_ERROR && strstr(error->message, g_strerror(EADDRNOTAVAIL))) ||
           (error->domain == G_IO_ERROR && strstr(error->message, g_strerror(EAFNOSUPPORT)));
}

/* For those that the kernel has. UDP_SEGMENT 0 changes nothing but tells whether it is known. */
static void set_offload(TunnelSocket *socket)
{
    if (!socket->socket)
        return;
    g_socket_set_option(socket->socket, IPPROTO_UDP, UDP_GRO, 1, NULL);
    if (g_socket_set_option(socket->socket, IPPROTO_UDP, UDP_SEGMENT, 0, NULL))
        atomic_store(&socket->together_from, 0);
}

/* Only now, so that a port that another program has is not shared with it. */
static void share_port(TunnelSockets *sockets)
{
    if (sockets->v4.socket)
        g_socket_set_option(sockets->v4.socket, SOL_SOCKET, SO_REUSEPORT, 1, NULL);
    if (sockets->v6.socket)
        g_socket_set_option(sockets->v6.socket, SOL_SOCKET, SO_REUSEPORT, 1, NULL);
}

static gboolean open_both(TunnelSockets *sockets, Wanted wanted, GError **error)
{
    g_autoptr(GError) local = NULL;
    g_autoptr(GSocket) v4 = open_one(G_SOCKET_FAMILY_IPV4, &wanted, &local);
    g_autoptr(GSocket) v6 = NULL;

    if (!v4 && !family_missing(local)) {
        g_propagate_error(error, g_steal_pointer(&local));
        return FALSE;
    }
    if (v4)
        wanted.port = bound_port(v4);
    v6 = open_one(G_SOCKET_FAMILY_IPV6, &wanted, v4 ? &local : error);
    if (!v6 && (!v4 || !family_missing(local))) {
        if (v4)
            g_propagate_error(error, g_steal_pointer(&local));
        return FALSE;
    }
    sockets->port = v4 ? wanted.port : bound_port(v6);
    sockets->v4.socket = g_steal_pointer(&v4);
    sockets->v6.socket = g_steal_pointer(&v6);
    atomic_store(&sockets->v4.together_from, TUNNEL_NEVER);
    atomic_store(&sockets->v6.together_from, TUNNEL_NEVER);
    if (wanted.offload) {
        set_offload(&sockets->v4);
        set_offload(&sockets->v6);
    }
    return TRUE;
}

static gboolean open_first(TunnelSockets *sockets, const Wanted *wanted, GError **error)
{
    guint tries = wanted->port == 0 ? PORT_TRIES : 1;

    for (guint i = 0; i < tries; i++) {
        g_autoptr(GError) local = NULL;

        if (open_both(sockets, *wanted, &local))
            return TRUE;
        if (i + 1 == tries || !g_error_matches(local, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE)) {
            if (g_error_matches(local, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE))
                g_prefix_error(&local,
                               _("Another program uses UDP port %u; choose another "
                                 "listen port, or none. "),
                               wanted->port);
            g_propagate_error(error, g_steal_pointer(&local));
            return FALSE;
        }
    }
    g_assert_not_reached();
}

gboolean tunnel_sockets_open(TunnelSockets *sockets, guint n, guint16 port, guint32 fwmark,
                             gboolean offload, GError **error)
{
    Wanted wanted = {.port = port, .fwmark = fwmark, .offload = offload};

    if (!open_first(&sockets[0], &wanted, error))
        return FALSE;
    if (n > 1)
        share_port(&sockets[0]);
    wanted.port = sockets[0].port;
    wanted.shared = TRUE;
    for (guint i = 1; i < n; i++) {
        if (!open_both(&sockets[i], wanted, error)) {
            while (i-- > 0)
                tunnel_sockets_close(&sockets[i]);
            return FALSE;
        }
    }
    return TRUE;
}

gboolean tunnel_sockets_set_fwmark(TunnelSockets *sockets, guint32 fwmark, GError **error)
{
    return (!sockets->v4.socket || set_fwmark(sockets->v4.socket, fwmark, error)) &&
           (!sockets->v6.socket || set_fwmark(sockets->v6.socket, fwmark, error));
}

void tunnel_sockets_close(TunnelSockets *sockets)
{
    g_clear_object(&sockets->v4.socket);
    g_clear_object(&sockets->v6.socket);
    sockets->port = 0;
}

/* ---- Endpoints ------------------------------------------------------------------------------ */

socklen_t tunnel_endpoint_size(const WgEndpoint *endpoint)
{
    return endpoint->remote.any.sa_family == AF_INET6 ? sizeof endpoint->remote.in6
                                                      : sizeof endpoint->remote.in4;
}

gboolean tunnel_endpoint_same_path(const WgEndpoint *a, const WgEndpoint *b)
{
    return wg_endpoint_equal(a, b) && a->local_ifindex == b->local_ifindex &&
           memcmp(&a->local, &b->local, sizeof a->local) == 0;
}

GInetSocketAddress *tunnel_endpoint_to_address(const WgEndpoint *endpoint)
{
    GSocketAddress *address;

    if (endpoint->remote.any.sa_family == AF_UNSPEC)
        return NULL;
    address = g_socket_address_new_from_native((gpointer) &endpoint->remote,
                                               tunnel_endpoint_size(endpoint));
    return G_INET_SOCKET_ADDRESS(address);
}

gboolean tunnel_endpoint_from_address(WgEndpoint *endpoint, GSocketAddress *address)
{
    GSocketFamily family = g_socket_address_get_family(address);

    memset(endpoint, 0, sizeof *endpoint);
    if (family != G_SOCKET_FAMILY_IPV4 && family != G_SOCKET_FAMILY_IPV6)
        return FALSE;
    return g_socket_address_to_native(address, &endpoint->remote, sizeof endpoint->remote, NULL);
}
