/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-datagrams.c: datagrams out and in, as many in a system call as the kernel takes. Nothing
 * here waits.
 *
 * sendmsg() and recvmmsg() on the GSocket's descriptor: the local address of a datagram
 * (IP_PKTINFO), its DS field (IP_TOS) and the joining of datagrams (UDP_SEGMENT, UDP_GRO) are
 * control messages that GIO has no word for.
 */
#include "tunnel-private.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/udp.h>
#include <string.h>
#include <sys/socket.h>

/* For so long datagrams go one by one on a socket that has refused to send many, in microseconds:
 * long enough for the refusals not to matter, short enough to notice that the cause is gone. */
#define APART_TIME (10 * G_USEC_PER_SEC)

/* ---- Sending -------------------------------------------------------------------------------- */

typedef union {
    struct cmsghdr align;
    guint8 bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int)) +
                 CMSG_SPACE(sizeof(guint16))];
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

static gboolean has_local_address(const WgEndpoint *endpoint)
{
    if (endpoint->remote.any.sa_family == AF_INET6)
        return !IN6_IS_ADDR_UNSPECIFIED(&endpoint->local.in6);
    return endpoint->local.in4.s_addr != 0;
}

/* Through which interface: the kernel chooses router and address for it. */
static void add_interface(struct msghdr *message, const TunnelRun *run)
{
    if (run->endpoint->remote.any.sa_family == AF_INET6) {
        struct in6_pktinfo info = {.ipi6_ifindex = (unsigned int) run->ifindex};

        add_control(message, IPPROTO_IPV6, IPV6_PKTINFO, &info, sizeof info);
    } else {
        struct in_pktinfo info = {.ipi_ifindex = run->ifindex};

        add_control(message, IPPROTO_IP, IP_PKTINFO, &info, sizeof info);
    }
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

static void add_header_fields(struct msghdr *message, const TunnelRun *run)
{
    gboolean v6 = run->endpoint->remote.any.sa_family == AF_INET6;
    int level = v6 ? IPPROTO_IPV6 : IPPROTO_IP;
    int tos = run->tos, hop_limit = run->hop_limit;

    if (tos != 0)
        add_control(message, level, v6 ? IPV6_TCLASS : IP_TOS, &tos, sizeof tos);
    if (hop_limit != 0)
        add_control(message, level, v6 ? IPV6_HOPLIMIT : IP_TTL, &hop_limit, sizeof hop_limit);
}

/* Everything of a message but what is in it. `control` has to last as long as the message. */
static struct msghdr address_message(const TunnelRun *run, gboolean from_address,
                                     SendControl *control)
{
    struct msghdr message = {
        .msg_name = (gpointer) &run->endpoint->remote,
        .msg_namelen = tunnel_endpoint_size(run->endpoint),
        .msg_control = control,
    };

    memset(control, 0, sizeof *control);
    if (run->ifindex != 0)
        add_interface(&message, run);
    else if (from_address)
        add_local(&message, run->endpoint);
    add_header_fields(&message, run);
    return message;
}

static void drop_empty_control(struct msghdr *message)
{
    if (message->msg_controllen == 0)
        message->msg_control = NULL;
}

/* All of the run in one system call: nothing of it is sent, or everything. */
static gboolean send_together(int fd, const TunnelRun *run)
{
    SendControl control;
    struct iovec payload = {(gpointer) run->data, run->len};
    struct msghdr message = address_message(run, has_local_address(run->endpoint), &control);
    guint16 segment = (guint16) run->segment;
    gssize n;

    if (run->len > run->segment)
        add_control(&message, IPPROTO_UDP, UDP_SEGMENT, &segment, sizeof segment);
    drop_empty_control(&message);
    message.msg_iov = &payload;
    message.msg_iovlen = 1;
    do
        n = sendmsg(fd, &message, MSG_DONTWAIT | MSG_NOSIGNAL);
    while (n < 0 && errno == EINTR);
    return n >= 0;
}

/* The run's datagrams as messages of their own, for sendmmsg(). */
typedef struct {
    struct mmsghdr messages[TUNNEL_RUN_DATAGRAMS_MAX];
    struct iovec payloads[TUNNEL_RUN_DATAGRAMS_MAX];
    SendControl control;
    guint n;
} Apart;

static void take_apart(Apart *apart, const TunnelRun *run, gboolean from_address)
{
    struct msghdr message = address_message(run, from_address, &apart->control);

    drop_empty_control(&message);
    message.msg_iovlen = 1;
    apart->n = 0;
    for (gsize at = 0; at < run->len; at += run->segment) {
        struct iovec *payload = &apart->payloads[apart->n];

        *payload = (struct iovec){(gpointer) (run->data + at), MIN(run->segment, run->len - at)};
        message.msg_iov = payload;
        apart->messages[apart->n++].msg_hdr = message;
    }
}

/* That the address which the peer last spoke to is gone from this machine looks like this. */
static gboolean may_be_the_source(int error)
{
    return error == EINVAL || error == EADDRNOTAVAIL || error == ENETUNREACH;
}

/* Each datagram by itself; one that cannot be sent holds up no other. */
static TunnelSent send_apart(int fd, const TunnelRun *run)
{
    gboolean from_address = run->ifindex == 0 && has_local_address(run->endpoint);
    TunnelSent sent = {0};
    guint i = 0;
    Apart apart;

    take_apart(&apart, run, from_address);
    while (i < apart.n) {
        int n = sendmmsg(fd, apart.messages + i, apart.n - i, MSG_DONTWAIT | MSG_NOSIGNAL);

        if (n > 0) {
            sent.n += (guint) n;
            while (n-- > 0)
                sent.bytes += apart.payloads[i++].iov_len;
        } else if (from_address && may_be_the_source(errno)) {
            from_address = FALSE;
            take_apart(&apart, run, FALSE);
        } else if (errno != EINTR) {
            sent.error = errno;
            /* A full socket takes none of the others either. */
            i = errno == EAGAIN ? apart.n : i + 1;
        }
    }
    sent.failed = apart.n - sent.n;
    return sent;
}

/* FALSE, and errno: nothing was sent. */
static gboolean try_together(TunnelSocket *socket, int fd, const TunnelRun *run)
{
    gint64 from = atomic_load_explicit(&socket->together_from, memory_order_relaxed);

    if (run->len > run->segment && from > 0 && g_get_monotonic_time() < from) {
        errno = EINVAL;
        return FALSE;
    }
    if (send_together(fd, run))
        return TRUE;
    /* The interface cannot checksum, or IPsec is on the way (udp(7)). Other errors come and go
     * with each peer's route, such as datagrams that must be fragmented. */
    if (errno == EIO)
        atomic_store(&socket->together_from, g_get_monotonic_time() + APART_TIME);
    return FALSE;
}

static TunnelSent send_run(TunnelSockets *sockets, const TunnelRun *run)
{
    gboolean v6 = run->endpoint->remote.any.sa_family == AF_INET6;
    TunnelSocket *socket = v6 ? &sockets->v6 : &sockets->v4;
    guint n = (guint) ((run->len + run->segment - 1) / run->segment);
    int fd;

    if (!socket->socket || run->endpoint->remote.any.sa_family == AF_UNSPEC)
        return (TunnelSent){.failed = n, .error = EAFNOSUPPORT};
    fd = g_socket_get_fd(socket->socket);
    if (try_together(socket, fd, run))
        return (TunnelSent){.n = n, .bytes = run->len};
    if (errno == EAGAIN)
        return (TunnelSent){.failed = n, .error = EAGAIN};
    return send_apart(fd, run);
}

TunnelSent tunnel_send(TunnelSockets *sockets, const TunnelRun *run)
{
    TunnelRun detour = *run;

    if (run->ifindex == 0 && sockets->detours)
        detour.ifindex = tunnel_detours_find(sockets->detours, run->endpoint);
    return send_run(sockets, &detour);
}

/* ---- Receiving ------------------------------------------------------------------------------ */

typedef union {
    struct cmsghdr align;
    guint8 bytes[CMSG_SPACE(sizeof(struct in6_pktinfo)) + 2 * CMSG_SPACE(sizeof(int))];
} ReceiveControl;

/* Above this, what was received is certainly joined. */
#define JOINED_LEAST 4096

struct _TunnelInbox {
    guint8 *memory;
    guint batch; /* messages for the next system call */
    guint used;  /* of the last one */
    TunnelReceived received[TUNNEL_BATCH];
    struct mmsghdr messages[TUNNEL_BATCH];
    struct iovec payloads[TUNNEL_BATCH];
    ReceiveControl controls[TUNNEL_BATCH];
};

static void make_ready(TunnelInbox *inbox, guint i)
{
    TunnelReceived *received = &inbox->received[i];

    memset(&received->source, 0, sizeof received->source);
    inbox->messages[i].msg_hdr = (struct msghdr){
        .msg_name = &received->source.remote,
        .msg_namelen = sizeof received->source.remote,
        .msg_iov = &inbox->payloads[i],
        .msg_iovlen = 1,
        .msg_control = &inbox->controls[i],
        .msg_controllen = sizeof inbox->controls[i],
    };
}

TunnelInbox *tunnel_inbox_new(void)
{
    TunnelInbox *inbox = g_new0(TunnelInbox, 1);

    inbox->memory = g_malloc((gsize) TUNNEL_BATCH * TUNNEL_DATAGRAM_MAX);
    inbox->batch = TUNNEL_BATCH;
    for (guint i = 0; i < TUNNEL_BATCH; i++) {
        inbox->received[i].data = inbox->memory + (gsize) i * TUNNEL_DATAGRAM_MAX;
        inbox->payloads[i] = (struct iovec){inbox->received[i].data, TUNNEL_DATAGRAM_MAX};
        make_ready(inbox, i);
    }
    return inbox;
}

void tunnel_inbox_free(TunnelInbox *inbox)
{
    /* Clear packets do not stay behind in freed memory. */
    wg_wipe(inbox->memory, (gsize) TUNNEL_BATCH * TUNNEL_DATAGRAM_MAX);
    g_free(inbox->memory);
    g_free(inbox);
}

static int read_int(struct cmsghdr *c)
{
    int value;

    memcpy(&value, CMSG_DATA(c), sizeof value);
    return value;
}

static void read_ipv4_control(struct cmsghdr *c, TunnelReceived *received)
{
    struct in_pktinfo info;

    if (c->cmsg_type == IP_PKTINFO) {
        memcpy(&info, CMSG_DATA(c), sizeof info);
        received->source.local.in4 = info.ipi_spec_dst;
        received->source.local_ifindex = info.ipi_ifindex;
    } else if (c->cmsg_type == IP_TOS) {
        received->tos = *CMSG_DATA(c); /* one byte */
    }
}

static void read_ipv6_control(struct cmsghdr *c, TunnelReceived *received)
{
    struct in6_pktinfo info;

    if (c->cmsg_type == IPV6_PKTINFO) {
        memcpy(&info, CMSG_DATA(c), sizeof info);
        received->source.local.in6 = info.ipi6_addr;
        received->source.local_ifindex = (int) info.ipi6_ifindex;
    } else if (c->cmsg_type == IPV6_TCLASS) {
        received->tos = (guint8) read_int(c);
    }
}

static void read_message(struct mmsghdr *message, TunnelReceived *received)
{
    int segment = 0;

    received->tos = 0;
    for (struct cmsghdr *c = CMSG_FIRSTHDR(&message->msg_hdr); c;
         c = CMSG_NXTHDR(&message->msg_hdr, c)) {
        if (c->cmsg_level == IPPROTO_IP)
            read_ipv4_control(c, received);
        else if (c->cmsg_level == IPPROTO_IPV6)
            read_ipv6_control(c, received);
        else if (c->cmsg_level == IPPROTO_UDP && c->cmsg_type == UDP_GRO)
            segment = read_int(c);
    }
    /* Cut off: none of WireGuard's, or its last piece would be. */
    received->len = message->msg_hdr.msg_flags & MSG_TRUNC ? 0 : message->msg_len;
    /* Never 0, by which nobody would get on. */
    received->segment = segment > 0 ? (gsize) segment : MAX(received->len, 1);
}

guint tunnel_receive(TunnelInbox *inbox, TunnelSocket *socket, const TunnelReceived **received,
                     gboolean *more)
{
    gboolean joined = FALSE;
    int n;

    for (guint i = 0; i < inbox->used; i++)
        make_ready(inbox, i);
    do
        n = recvmmsg(g_socket_get_fd(socket->socket), inbox->messages, inbox->batch, MSG_DONTWAIT,
                     NULL);
    while (n < 0 && errno == EINTR);
    /* Errors here are a network's passing troubles (an ICMP message, say); the next datagram
     * comes. */
    inbox->used = n > 0 ? (guint) n : 0;
    for (guint i = 0; i < inbox->used; i++) {
        read_message(&inbox->messages[i], &inbox->received[i]);
        joined |= inbox->received[i].len > JOINED_LEAST;
    }
    *received = inbox->received;
    *more = inbox->used == inbox->batch;
    inbox->batch = joined ? TUNNEL_RUNS_TOGETHER : TUNNEL_BATCH;
    return inbox->used;
}
