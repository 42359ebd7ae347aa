/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-sockets.c: the two UDP sockets: opening them on one port, and datagrams in and out.
 *
 * GSocket opens, binds and configures. Datagrams go through sendmsg() and recvmmsg() on its
 * descriptor: the local address of a datagram (IP_PKTINFO) and its DS field (IP_TOS) are control
 * messages that GIO has no word for.
 */
#include "config.h"

#include "tunnel-private.h"

#include <errno.h>
#include <glib/gi18n-lib.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

/* A free port for IPv4 may be taken for IPv6: how often to try another (kernel: socket.c). */
#define PORT_TRIES 100

/* Room for bursts in each direction; what wireguard-go asks for too. */
#define SOCKET_BUFFER_BYTES (7 << 20)

/* ---- Opening -------------------------------------------------------------------------------- */

static void set_buffer(GSocket *socket, int force_option, int option)
{
    /* Beyond the system's limit with CAP_NET_ADMIN, else as much as is allowed. */
    if (!g_socket_set_option(socket, SOL_SOCKET, force_option, SOCKET_BUFFER_BYTES, NULL))
        g_socket_set_option(socket, SOL_SOCKET, option, SOCKET_BUFFER_BYTES, NULL);
}

static void set_options(GSocket *socket, GSocketFamily family)
{
    set_buffer(socket, SO_RCVBUFFORCE, SO_RCVBUF);
    set_buffer(socket, SO_SNDBUFFORCE, SO_SNDBUF);
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

static GSocket *open_one(GSocketFamily family, guint16 port, guint32 fwmark, GError **error)
{
    g_autoptr(GSocket) socket =
        g_socket_new(family, G_SOCKET_TYPE_DATAGRAM, G_SOCKET_PROTOCOL_UDP, error);
    g_autoptr(GInetAddress) any = g_inet_address_new_any(family);
    g_autoptr(GSocketAddress) address = g_inet_socket_address_new(any, port);

    if (!socket)
        return NULL;
    /* Each family has its own socket on the same port. */
    if (family == G_SOCKET_FAMILY_IPV6 &&
        !g_socket_set_option(socket, IPPROTO_IPV6, IPV6_V6ONLY, 1, error))
        return NULL;
    if (fwmark != 0 && !set_fwmark(socket, fwmark, error))
        return NULL;
    set_options(socket, family);
    if (!g_socket_bind(socket, address, FALSE, error)) {
        g_prefix_error(error, _("Cannot listen on UDP port %u: "), port);
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

static gboolean open_both(TunnelSockets *sockets, guint16 port, guint32 fwmark, GError **error)
{
    g_autoptr(GError) local = NULL;

    sockets->v4 = open_one(G_SOCKET_FAMILY_IPV4, port, fwmark, &local);
    if (!sockets->v4 && !family_missing(local)) {
        g_propagate_error(error, g_steal_pointer(&local));
        return FALSE;
    }
    if (sockets->v4)
        port = bound_port(sockets->v4);
    sockets->v6 = open_one(G_SOCKET_FAMILY_IPV6, port, fwmark, sockets->v4 ? &local : error);
    if (!sockets->v6 && (!sockets->v4 || !family_missing(local))) {
        if (sockets->v4)
            g_propagate_error(error, g_steal_pointer(&local));
        g_clear_object(&sockets->v4);
        return FALSE;
    }
    sockets->port = sockets->v4 ? port : bound_port(sockets->v6);
    return TRUE;
}

gboolean tunnel_sockets_open(TunnelSockets *sockets, guint16 port, guint32 fwmark, GError **error)
{
    guint tries = port == 0 ? PORT_TRIES : 1;

    for (guint i = 0; i < tries; i++) {
        g_autoptr(GError) local = NULL;

        if (open_both(sockets, port, fwmark, &local))
            return TRUE;
        if (i + 1 == tries || !g_error_matches(local, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE)) {
            if (g_error_matches(local, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE))
                g_prefix_error(&local,
                               _("Another program uses UDP port %u; choose another "
                                 "listen port, or none. "),
                               port);
            g_propagate_error(error, g_steal_pointer(&local));
            return FALSE;
        }
    }
    g_assert_not_reached();
}

gboolean tunnel_sockets_set_fwmark(TunnelSockets *sockets, guint32 fwmark, GError **error)
{
    return (!sockets->v4 || set_fwmark(sockets->v4, fwmark, error)) &&
           (!sockets->v6 || set_fwmark(sockets->v6, fwmark, error));
}

void tunnel_sockets_close(TunnelSockets *sockets)
{
    g_clear_object(&sockets->v4);
    g_clear_object(&sockets->v6);
    sockets->port = 0;
}

/* ---- Endpoints ------------------------------------------------------------------------------ */

static socklen_t remote_size(const WgEndpoint *endpoint)
{
    return endpoint->remote.any.sa_family == AF_INET6 ? sizeof endpoint->remote.in6
                                                      : sizeof endpoint->remote.in4;
}

GInetSocketAddress *tunnel_endpoint_to_address(const WgEndpoint *endpoint)
{
    GSocketAddress *address;

    if (endpoint->remote.any.sa_family == AF_UNSPEC)
        return NULL;
    address = g_socket_address_new_from_native((gpointer) &endpoint->remote, remote_size(endpoint));
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

/* ---- Sending -------------------------------------------------------------------------------- */

typedef union {
    struct cmsghdr align;
    guint8 bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int))];
} SendControl;

static void add_control(struct msghdr *message, int level, int type, gconstpointer data, gsize size)
{
    struct cmsghdr *header =
        (struct cmsghdr *) ((guint8 *) message->msg_control + message->msg_controllen);

    header->cmsg_level = level;
    header->cmsg_type = type;
    header->cmsg_len = CMSG_LEN(size);
    memcpy(CMSG_DATA(header), data, size);
    message->msg_controllen += CMSG_SPACE(size);
}

static gboolean has_local(const WgEndpoint *endpoint)
{
    if (endpoint->remote.any.sa_family == AF_INET6)
        return !IN6_IS_ADDR_UNSPECIFIED(&endpoint->local.in6);
    return endpoint->local.in4.s_addr != 0;
}

/* From where: the address alone, not the interface, so that a change of routes is followed. */
static void add_local(struct msghdr *message, const WgEndpoint *endpoint)
{
    if (endpoint->remote.any.sa_family == AF_INET6) {
        struct in6_pktinfo info = {.ipi6_addr = endpoint->local.in6};

        /* A link-local address means nothing without its link. */
        if (IN6_IS_ADDR_LINKLOCAL(&endpoint->local.in6))
            info.ipi6_ifindex = (unsigned int) endpoint->local_ifindex;
        add_control(message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    } else {
        struct in_pktinfo info = {.ipi_spec_dst = endpoint->local.in4};

        add_control(message, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    }
}

static void add_tos(struct msghdr *message, const WgEndpoint *endpoint, guint8 tos)
{
    int value = tos;

    if (endpoint->remote.any.sa_family == AF_INET6)
        add_control(message, IPPROTO_IPV6, IPV6_TCLASS, &value, sizeof value);
    else
        add_control(message, IPPROTO_IP, IP_TOS, &value, sizeof value);
}

static void add_hop_limit(struct msghdr *message, const WgEndpoint *endpoint, guint8 hop_limit)
{
    int value = hop_limit;

    if (endpoint->remote.any.sa_family == AF_INET6)
        add_control(message, IPPROTO_IPV6, IPV6_HOPLIMIT, &value, sizeof value);
    else
        add_control(message, IPPROTO_IP, IP_TTL, &value, sizeof value);
}

static gboolean send_once(int fd, const WgEndpoint *endpoint, const guint8 *data, gsize len,
                          guint8 tos, guint8 hop_limit, gboolean from_local)
{
    SendControl control = {0};
    struct iovec payload = {(gpointer) data, len};
    struct msghdr message = {
        .msg_name = (gpointer) &endpoint->remote,
        .msg_namelen = remote_size(endpoint),
        .msg_iov = &payload,
        .msg_iovlen = 1,
        .msg_control = &control,
    };
    gssize n;

    if (from_local)
        add_local(&message, endpoint);
    if (tos != 0)
        add_tos(&message, endpoint, tos);
    if (hop_limit != 0)
        add_hop_limit(&message, endpoint, hop_limit);
    if (message.msg_controllen == 0)
        message.msg_control = NULL;
    do
        n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n >= 0;
}

gboolean tunnel_sockets_send(const TunnelSockets *sockets, const WgEndpoint *endpoint,
                             const guint8 *data, gsize len, guint8 tos, guint8 hop_limit,
                             int patience_ms)
{
    GSocket *socket = endpoint->remote.any.sa_family == AF_INET6 ? sockets->v6 : sockets->v4;
    gboolean from_local = has_local(endpoint);
    int fd;

    if (!socket || endpoint->remote.any.sa_family == AF_UNSPEC) {
        errno = EAFNOSUPPORT;
        return FALSE;
    }
    fd = g_socket_get_fd(socket);
    if (send_once(fd, endpoint, data, len, tos, hop_limit, from_local))
        return TRUE;
    if (errno == EAGAIN && patience_ms > 0) {
        struct pollfd room = {.fd = fd, .events = POLLOUT};

        poll(&room, 1, patience_ms);
        return send_once(fd, endpoint, data, len, tos, hop_limit, from_local);
    }
    /* The address that the peer last spoke to may be gone from this machine. */
    return from_local && errno != EAGAIN &&
           send_once(fd, endpoint, data, len, tos, hop_limit, FALSE);
}

/* ---- Receiving ------------------------------------------------------------------------------ */

typedef union {
    struct cmsghdr align;
    guint8 bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + CMSG_SPACE(sizeof(int))];
} ReceiveControl;

static void read_control(struct msghdr *message, WgEndpoint *source, guint8 *tos)
{
    *tos = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
        if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_PKTINFO) {
            struct in_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof info);
            source->local.in4 = info.ipi_spec_dst;
            source->local_ifindex = info.ipi_ifindex;
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_PKTINFO) {
            struct in6_pktinfo info;

            memcpy(&info, CMSG_DATA(c), sizeof info);
            source->local.in6 = info.ipi6_addr;
            source->local_ifindex = (int) info.ipi6_ifindex;
        } else if (c->cmsg_level == IPPROTO_IP && c->cmsg_type == IP_TOS) {
            *tos = *CMSG_DATA(c); /* one byte */
        } else if (c->cmsg_level == IPPROTO_IPV6 && c->cmsg_type == IPV6_TCLASS) {
            int value;

            memcpy(&value, CMSG_DATA(c), sizeof value);
            *tos = (guint8) value;
        }
    }
}

guint tunnel_sockets_receive(GSocket *socket, TunnelDatagrams *datagrams)
{
    struct mmsghdr messages[TUNNEL_BATCH];
    struct iovec payloads[TUNNEL_BATCH];
    ReceiveControl controls[TUNNEL_BATCH];
    int n;

    for (guint i = 0; i < TUNNEL_BATCH; i++) {
        memset(&datagrams->sources[i], 0, sizeof datagrams->sources[i]);
        payloads[i] = (struct iovec){datagrams->buffers[i], TUNNEL_DATAGRAM_MAX};
        messages[i].msg_hdr = (struct msghdr){
            .msg_name = &datagrams->sources[i].remote,
            .msg_namelen = sizeof datagrams->sources[i].remote,
            .msg_iov = &payloads[i],
            .msg_iovlen = 1,
            .msg_control = &controls[i],
            .msg_controllen = sizeof controls[i],
        };
    }
    do
        n = recvmmsg(g_socket_get_fd(socket), messages, TUNNEL_BATCH, MSG_DONTWAIT, NULL);
    while (n < 0 && errno == EINTR);
    for (int i = 0; i < n; i++) {
        datagrams->lens[i] = messages[i].msg_len;
        read_control(&messages[i].msg_hdr, &datagrams->sources[i], &datagrams->tos[i]);
    }
    /* Errors here are a network's passing troubles (an ICMP message, say); the next datagram
     * comes. */
    return n > 0 ? (guint) n : 0;
}
