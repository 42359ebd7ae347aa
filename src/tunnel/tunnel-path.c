/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-path.c: the largest packet that the path to a peer carries whole.
 *
 * The tunnel's own datagrams may be fragmented, so that a smaller MTU on the way never stops them
 * over IPv4; but fragments are slow, and no router says that it makes some. So a socket of its own,
 * which forbids it, sends a datagram as large as the path is believed to take, now and then: the
 * router that cannot forward it says what it can (RFC 1191, RFC 8201), the kernel remembers that
 * for all sockets, and we hear of it. No peer has to answer: to it, it is data under a key it does
 * not have.
 *
 * Where such messages are filtered, IPv4 is fragmented on the way, and IPv6 is a black hole for
 * what is too large: see tunnel-narrow.c.
 */
#include "config.h"

#include "tunnel-private.h"

#include <errno.h>
#include <glib-unix.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

/* Headers of IP and UDP (RFC 791, 8200, 768). */
#define IPV4_HEADERS (20 + 8)
#define IPV6_HEADERS (40 + 8)

/* Between two probes at least: sessions are renewed every two minutes, but may come in flocks. */
#define REST G_USEC_PER_SEC

struct _TunnelPath {
    CulvertTunnel *tunnel;
    WgKey public_key;
    WgEndpoint endpoint; /* the socket's */
    GSocket *socket;     /* NULL: none yet */
    GSource *error_source;
    gint64 rest_until;
    guint mtu; /* as told last; 0: never */
};

static gboolean is_v6(const WgEndpoint *endpoint)
{
    return endpoint->remote.any.sa_family == AF_INET6;
}

/* ---- What the kernel knows ------------------------------------------------------------------ */

static int open_socket(const WgEndpoint *to, guint32 fwmark)
{
    gboolean v6 = is_v6(to);
    int fd = socket(to->remote.any.sa_family, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    int probe = v6 ? IPV6_PMTUDISC_PROBE : IP_PMTUDISC_PROBE;
    int one = 1;

    if (fd < 0)
        return -1;
    if ((fwmark == 0 || setsockopt(fd, SOL_SOCKET, SO_MARK, &fwmark, sizeof fwmark) == 0) &&
        setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU_DISCOVER : IP_MTU_DISCOVER,
                   &probe, sizeof probe) == 0 &&
        setsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_RECVERR : IP_RECVERR, &one,
                   sizeof one) == 0 &&
        connect(fd, &to->remote.any, tunnel_endpoint_size(to)) == 0)
        return fd;
    close(fd);
    return -1;
}

/* Of the route of a connected socket; 0: unknown. */
static guint read_mtu(int fd, gboolean v6)
{
    socklen_t size = sizeof(int);
    int mtu = 0;

    if (getsockopt(fd, v6 ? IPPROTO_IPV6 : IPPROTO_IP, v6 ? IPV6_MTU : IP_MTU, &mtu, &size) != 0)
        return 0;
    return mtu > 0 ? (guint) mtu : 0;
}

guint tunnel_path_find_mtu(CulvertTunnel *tunnel, const WgEndpoint *to)
{
    int fd = open_socket(to, tunnel->fwmark);
    guint mtu;

    if (fd < 0)
        return 0;
    mtu = read_mtu(fd, is_v6(to));
    close(fd);
    return mtu;
}

/* ---- Probing -------------------------------------------------------------------------------- */

static gboolean is_narrow(const TunnelPath *self)
{
    return tunnel_narrow_is(self->tunnel->narrow, &self->public_key, &self->endpoint);
}

/* Nothing may touch `self` afterwards: whoever hears of it may stop us. */
void tunnel_path_tell(TunnelPath *self)
{
    guint mtu = 0;

    if (self->socket)
        mtu = read_mtu(g_socket_get_fd(self->socket), is_v6(&self->endpoint));
    if (mtu > 0 && is_narrow(self))
        mtu = TUNNEL_IPV6_MTU_LEAST;
    if (mtu == 0 || mtu == self->mtu)
        return;
    self->mtu = mtu;
    tunnel_announce_path_mtu(self->tunnel, mtu);
}

static gboolean on_error(int fd, GIOCondition condition, gpointer data)
{
    guint8 rest[1];

    /* The kernel has taken notice of it already; anything else than a size does not matter. */
    while (recv(fd, rest, sizeof rest, MSG_ERRQUEUE | MSG_DONTWAIT) >= 0 || errno == EINTR)
        continue;
    while (recv(fd, rest, sizeof rest, MSG_DONTWAIT) >= 0)
        continue;
    tunnel_path_tell(data);
    return G_SOURCE_CONTINUE;
}

static void close_socket(TunnelPath *self)
{
    if (self->error_source)
        g_source_destroy(self->error_source);
    g_clear_pointer(&self->error_source, g_source_unref);
    g_clear_object(&self->socket);
}

static void connect_socket(TunnelPath *self, const WgEndpoint *to)
{
    int fd;

    close_socket(self);
    fd = open_socket(to, self->tunnel->fwmark);
    if (fd < 0)
        return;
    self->endpoint = *to;
    self->socket = g_socket_new_from_fd(fd, NULL);
    if (!self->socket) {
        close(fd);
        return;
    }
    g_socket_set_blocking(self->socket, FALSE);
    self->error_source = g_unix_fd_source_new(fd, G_IO_ERR);
    g_source_set_callback(self->error_source, G_SOURCE_FUNC(on_error), self, NULL);
    g_source_attach(self->error_source, self->tunnel->context);
}

/* Random, like all that an observer sees of a message of data behind its type. */
static void send_probe(TunnelPath *self)
{
    gboolean v6 = is_v6(&self->endpoint);
    guint mtu = read_mtu(g_socket_get_fd(self->socket), v6);
    guint headers = v6 ? IPV6_HEADERS : IPV4_HEADERS;
    g_autofree guint8 *data = NULL;
    gsize len;

    if (mtu <= headers + WG_DATA_OVERHEAD)
        return;
    len = MIN(mtu - headers, TUNNEL_RUN_BYTES_MAX);
    data = g_malloc(len);
    wg_random(data, len);
    memset(data, 0, 4);
    data[0] = WG_TYPE_DATA;
    g_socket_send(self->socket, (const char *) data, len, NULL, NULL);
}

void tunnel_path_probe(TunnelPath *self)
{
    CulvertTun *tun = culvert_tunnel_get_tun(self->tunnel);
    WgPeer *peer = wg_device_find_peer(self->tunnel->device, &self->public_key);
    gint64 now = g_get_monotonic_time();
    WgEndpoint endpoint;

    if (!peer)
        return;
    wg_peer_get_endpoint(peer, &endpoint);
    /* The tunnel's own MTU would be found, and the next one be smaller still. */
    if (endpoint.remote.any.sa_family == AF_UNSPEC ||
        (tun && tunnel_uplink_find(&endpoint, culvert_tun_get_ifindex(tun)) != 0))
        return;
    if (self->socket && wg_endpoint_equal(&endpoint, &self->endpoint) && now < self->rest_until)
        return;
    self->rest_until = now + REST;
    /* Always a new one: one that is connected keeps its local address. */
    connect_socket(self, &endpoint);
    if (!self->socket)
        return;
    if (!is_narrow(self))
        send_probe(self);
    tunnel_path_tell(self);
}

/* ---- Life ----------------------------------------------------------------------------------- */

TunnelPath *tunnel_path_new(CulvertTunnel *tunnel, const WgKey *public_key)
{
    TunnelPath *self = g_new0(TunnelPath, 1);

    self->tunnel = tunnel;
    self->public_key = *public_key;
    return self;
}

void tunnel_path_free(TunnelPath *self)
{
    close_socket(self);
    g_free(self);
}
