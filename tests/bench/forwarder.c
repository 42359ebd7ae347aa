/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * forwarder.c: the yardstick: a tunnel without crypto or protocol, in one thread, with every
 * offload that the kernel has. What it reaches is what device and socket cost, which no tunnel of
 * this kind can do without.
 *
 * Each inner packet is a UDP datagram of its own, behind HEADER bytes, so that as much is on the
 * wire as with WireGuard. A packet for many segments (TSO, USO) that the device hands over is cut
 * into them, headers and checksums as they have to be, and sent with UDP_SEGMENT; datagrams that
 * the kernel received together (UDP_GRO) become such a packet again. Payload is copied by the
 * kernel alone.
 *
 * Trusts whoever is at the other end: to be used between namespaces only.
 *
 *     forwarder INTERFACE LOCAL-ADDRESS PEER-ADDRESS PORT
 *
 * makes the interface, prints "ready", and runs until it is killed.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <glib.h>
#include <linux/if_tun.h>
#include <linux/virtio_net.h>
#include <net/if.h>
#include <netinet/in.h>
#include <netinet/ip.h>
#include <netinet/ip6.h>
#include <netinet/tcp.h>
#include <netinet/udp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <unistd.h>

#ifndef TUN_F_USO4 /* Linux 6.2 */
#define TUN_F_USO4                0x20
#define TUN_F_USO6                0x40
#define VIRTIO_NET_HDR_GSO_UDP_L4 5
#endif
#define UDP_SEGMENT 103 /* linux/udp.h, beside which netinet/udp.h has no place */
#define UDP_GRO     104

#define HEADER      32                /* WireGuard's: 16 of the message, 16 of the tag */
#define MAX_PACKET  65535             /* IP's 16 bits of length */
#define MAX_PAYLOAD 65507             /* of a UDP datagram over IPv4, also of many together */
#define MAX_BATCH   64                /* UDP_MAX_SEGMENTS of Linux before 6.9 */
#define MAX_HEADERS (40 + 60)         /* IPv6 (longer than IPv4 without options) and TCP */
#define ARENA       (4 * MAX_PACKET)  /* what is read of the device before it must be sent */
#define BUDGET      16                /* reads in one direction before the other has its turn */
#define BUFFERS     (7 * 1024 * 1024) /* of the socket; wireguard-go's */
#define SEND_WAIT   100               /* ms until a send that finds no room is a loss */

typedef struct virtio_net_hdr VnetHeader;

/* A packet's parts. */
typedef struct {
    gsize len;       /* all of it */
    gsize ip_len;    /* of the IP header */
    gsize headers;   /* IP and transport header together */
    guint8 protocol; /* IPPROTO_TCP or IPPROTO_UDP; 0: something we leave as it is */
    gboolean v6;
} Layout;

/* Segments that leave in one sendmsg(): all of `size`, only the last may be shorter. */
typedef struct {
    struct iovec iov[2 * MAX_BATCH];
    guint n_iov;
    guint count;
    gsize size;
    gsize last;
    gsize total;
} Batch;

/* Packets that become one for the device. */
typedef struct {
    VnetHeader vnet;
    struct iovec iov[1 + MAX_BATCH]; /* vnet, the first packet, further payloads */
    guint n_iov;
    guint count;
    guint8 *first;
    Layout layout;
    gsize payload; /* of each segment but perhaps the last */
    gsize total;   /* of all together, with one set of headers */
    guint32 next_seq;
    gboolean complete; /* nothing may follow */
} Group;

static int tun, udp;
static guint8 arena[ARENA];
static gsize arena_used;
static guint8 headers[MAX_BATCH][HEADER + MAX_HEADERS];
static Batch batch;
static Group group;

/* ---- Bytes ---------------------------------------------------------------------------------- */

static guint16 get16(const guint8 *p)
{
    return (guint16) (p[0] << 8 | p[1]);
}

static guint32 get32(const guint8 *p)
{
    return (guint32) get16(p) << 16 | get16(p + 2);
}

static void put16(guint8 *p, guint value)
{
    p[0] = (guint8) (value >> 8);
    p[1] = (guint8) value;
}

static void put32(guint8 *p, guint32 value)
{
    put16(p, value >> 16);
    put16(p + 2, value & 0xffff);
}

/* One source, and the widest vectors that the processor has. */
#if defined(__x86_64__) && defined(__GLIBC__) && !defined(__clang__)
#define VECTORS __attribute__((optimize("O3"), target_clones("avx512f", "avx2", "default")))
#else
#define VECTORS
#endif

/* RFC 1071: the sum of 16-bit words may be had of wider ones, in the machine's byte order. Sums of
 * pieces may be added if each but the last has an even length. */
VECTORS static guint64 sum_of(const guint8 *data, gsize len)
{
    guint64 sum = 0;
    guint32 word;
    gsize i;

    for (i = 0; i + sizeof word <= len; i += sizeof word) {
        memcpy(&word, data + i, sizeof word);
        sum += word;
    }
    word = 0;
    memcpy(&word, data + i, len - i);
    return sum + word;
}

/* In the order of its bytes in memory: to be stored with put_sum(). */
static guint16 folded(guint64 sum)
{
    while (sum >> 16)
        sum = (sum & 0xffff) + (sum >> 16);
    return (guint16) sum;
}

static void put_sum(guint8 *p, guint16 sum)
{
    memcpy(p, &sum, 2);
}

static guint64 pseudo_sum(const guint8 *packet, const Layout *layout, gsize transport_len)
{
    const guint8 *addresses = packet + (layout->v6 ? 8 : 12);

    return sum_of(addresses, layout->v6 ? 32 : 8) + htons((guint16) transport_len) +
           htons(layout->protocol);
}

static gsize checksum_offset(const Layout *layout)
{
    return layout->ip_len + (layout->protocol == IPPROTO_TCP
                                 ? G_STRUCT_OFFSET(struct tcphdr, check)
                                 : G_STRUCT_OFFSET(struct udphdr, check));
}

/* What the headers say, never beyond `len`; FALSE if it is no IP packet. */
static gboolean parse(const guint8 *packet, gsize len, Layout *layout)
{
    gsize transport;

    *layout = (Layout){.len = len};
    if (len < sizeof(struct iphdr))
        return FALSE;
    layout->v6 = packet[0] >> 4 == 6;
    if (layout->v6 && len < sizeof(struct ip6_hdr))
        return FALSE;
    layout->ip_len = layout->v6 ? sizeof(struct ip6_hdr) : (gsize) (packet[0] & 15) * 4;
    layout->len = layout->v6 ? get16(packet + 4) + layout->ip_len : get16(packet + 2);
    if (layout->len > len || layout->len < layout->ip_len)
        return FALSE;
    layout->protocol = layout->v6 ? packet[6] : packet[9];
    transport = layout->len - layout->ip_len;
    if (layout->protocol == IPPROTO_TCP && transport >= sizeof(struct tcphdr))
        layout->headers = layout->ip_len + (gsize) (packet[layout->ip_len + 12] >> 4) * 4;
    else if (layout->protocol == IPPROTO_UDP && transport >= sizeof(struct udphdr))
        layout->headers = layout->ip_len + sizeof(struct udphdr);
    if (layout->headers < layout->ip_len + sizeof(struct udphdr) || layout->headers > layout->len)
        layout->protocol = 0;
    return TRUE;
}

/* ---- From the device to the socket ---------------------------------------------------------- */

static void send_batch(void)
{
    union {
        char space[CMSG_SPACE(sizeof(guint16))];
        struct cmsghdr align;
    } control = {0};
    struct msghdr message = {.msg_iov = batch.iov, .msg_iovlen = batch.n_iov};

    if (batch.count == 0)
        return;
    if (batch.count > 1) {
        guint16 size = (guint16) batch.size;

        message.msg_control = control.space;
        message.msg_controllen = sizeof control.space;
        control.align = (struct cmsghdr){
            .cmsg_level = IPPROTO_UDP,
            .cmsg_type = UDP_SEGMENT,
            .cmsg_len = CMSG_LEN(sizeof size),
        };
        memcpy(CMSG_DATA(&control.align), &size, sizeof size);
    }
    while (sendmsg(udp, &message, 0) < 0) {
        struct pollfd room = {.fd = udp, .events = POLLOUT};

        /* Anything but a full buffer is a loss, as it would be on the wire. */
        if (errno != EINTR && (errno != EAGAIN || poll(&room, 1, SEND_WAIT) <= 0))
            break;
    }
    batch.n_iov = batch.count = 0;
    batch.size = batch.last = batch.total = 0;
}

/* Makes room for a datagram of `size` bytes; returns the space for its header. */
static guint8 *next_header(gsize size)
{
    if (batch.count > 0 && (batch.count == MAX_BATCH || batch.last != batch.size ||
                            size > batch.size || batch.total + size > MAX_PAYLOAD))
        send_batch();
    if (batch.count == 0)
        batch.size = size;
    batch.last = size;
    batch.total += size;
    return headers[batch.count++];
}

static void append_iov(const guint8 *data, gsize len)
{
    batch.iov[batch.n_iov++] = (struct iovec){(void *) data, len};
}

static void send_packet(const guint8 *packet, gsize len)
{
    append_iov(next_header(HEADER + len), HEADER);
    append_iov(packet, len);
}

/* The transport header's length, flags, number and checksum, and the IP header's, of a segment
 * whose payload is `len` bytes from `offset` in the packet for many. */
static void finish_segment(guint8 *head, const Layout *layout, const guint8 *payload, gsize offset,
                           gsize len, gboolean last, guint index)
{
    guint8 *transport = head + layout->ip_len, *check = head + checksum_offset(layout);
    gsize transport_len = layout->headers - layout->ip_len + len;
    guint16 sum;

    if (layout->v6) {
        put16(head + 4, (guint) transport_len);
    } else {
        put16(head + 2, (guint) (layout->ip_len + transport_len));
        put16(head + 4, get16(head + 4) + index);
        put16(head + 10, 0);
        put_sum(head + 10, (guint16) ~folded(sum_of(head, layout->ip_len)));
    }
    if (layout->protocol == IPPROTO_TCP) {
        put32(transport + 4, get32(transport + 4) + (guint32) offset);
        if (!last)
            transport[13] &= (guint8) ~(TH_FIN | TH_PUSH);
    } else {
        put16(transport + 4, (guint) transport_len);
    }
    put16(check, 0);
    sum = (guint16) ~folded(pseudo_sum(head, layout, transport_len) +
                            sum_of(transport, layout->headers - layout->ip_len) +
                            sum_of(payload, len));
    /* A UDP checksum of 0 would say that there is none (RFC 768). */
    put_sum(check, sum == 0 && layout->protocol == IPPROTO_UDP ? 0xffff : sum);
}

static void split(const guint8 *packet, const Layout *layout, gsize segment)
{
    gsize payload = layout->len - layout->headers;
    guint index = 0;

    for (gsize offset = 0; offset < payload; offset += segment, index++) {
        const guint8 *data = packet + layout->headers + offset;
        gsize len = MIN(segment, payload - offset);
        guint8 *head = next_header(HEADER + layout->headers + len);

        memcpy(head + HEADER, packet, layout->headers);
        finish_segment(head + HEADER, layout, data, offset, len, offset + len == payload, index);
        append_iov(head, HEADER + layout->headers);
        append_iov(data, len);
    }
}

/* The device left the checksum to its hardware: that is us. */
static void complete_checksum(guint8 *packet, gsize len, const VnetHeader *vnet)
{
    gsize start = vnet->csum_start, at = start + vnet->csum_offset;
    guint16 sum;

    if (start > len || at + 2 > len)
        return;
    sum = (guint16) ~folded(sum_of(packet + start, len - start));
    put_sum(packet + at, sum == 0 ? 0xffff : sum);
}

/* Reads one packet; FALSE if there is none. */
static gboolean take_from_device(void)
{
    guint8 *packet = arena + arena_used;
    VnetHeader vnet;
    struct iovec iov[] = {{&vnet, sizeof vnet}, {packet, MAX_PACKET}};
    gssize got = readv(tun, iov, G_N_ELEMENTS(iov));
    guint8 kind;
    Layout layout;

    if (got <= (gssize) sizeof vnet)
        return FALSE;
    got -= (gssize) sizeof vnet;
    arena_used += (gsize) got;
    kind = vnet.gso_type & (guint8) ~VIRTIO_NET_HDR_GSO_ECN;
    if (kind != VIRTIO_NET_HDR_GSO_NONE) {
        if (parse(packet, (gsize) got, &layout) && layout.protocol != 0 && vnet.gso_size != 0 &&
            layout.headers <= MAX_HEADERS)
            split(packet, &layout, vnet.gso_size);
        return TRUE;
    }
    if (vnet.flags & VIRTIO_NET_HDR_F_NEEDS_CSUM)
        complete_checksum(packet, (gsize) got, &vnet);
    send_packet(packet, (gsize) got);
    return TRUE;
}

static gboolean outbound(void)
{
    guint turn;

    for (turn = 0; turn < BUDGET; turn++) {
        if (sizeof arena - arena_used < MAX_PACKET) {
            send_batch();
            arena_used = 0;
        }
        if (!take_from_device())
            break;
    }
    send_batch();
    arena_used = 0;
    return turn == BUDGET;
}

/* ---- From the socket to the device ---------------------------------------------------------- */

static void write_group(void)
{
    const Layout *layout = &group.layout;

    if (group.count == 0)
        return;
    group.vnet = (VnetHeader){0};
    if (group.count > 1) {
        guint8 *head = group.first;
        gsize transport_len = group.total - layout->ip_len;
        gboolean tcp = layout->protocol == IPPROTO_TCP;

        if (layout->v6) {
            put16(head + 4, (guint) transport_len);
        } else {
            put16(head + 2, (guint) group.total);
            put16(head + 10, 0);
            put_sum(head + 10, (guint16) ~folded(sum_of(head, layout->ip_len)));
        }
        if (!tcp)
            put16(head + layout->ip_len + 4, (guint) transport_len);
        /* The pseudo header's part; the receiver, or its hardware, is to do the rest, segment by
         * segment. Who knows that it came over no wire does nothing. */
        put_sum(head + checksum_offset(layout), folded(pseudo_sum(head, layout, transport_len)));
        group.vnet = (VnetHeader){
            .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
            .gso_type = !tcp         ? VIRTIO_NET_HDR_GSO_UDP_L4
                        : layout->v6 ? VIRTIO_NET_HDR_GSO_TCPV6
                                     : VIRTIO_NET_HDR_GSO_TCPV4,
            .hdr_len = (guint16) layout->headers,
            .gso_size = (guint16) group.payload,
            .csum_start = (guint16) layout->ip_len,
            .csum_offset = (guint16) (checksum_offset(layout) - layout->ip_len),
        };
    }
    group.iov[0] = (struct iovec){&group.vnet, sizeof group.vnet};
    /* A device that is down, or has no room, loses the packet, as a network card does. */
    if (writev(tun, group.iov, (int) group.n_iov) < 0 && errno == EBADF)
        exit(EXIT_FAILURE);
    group.count = 0;
}

/* Whether all that a receiver sees of a segment's headers is the same in both: all but lengths,
 * identification, checksums, sequence number and PSH. */
static gboolean same_headers(const guint8 *a, const guint8 *b, const Layout *layout)
{
    const guint8 *s = a + layout->ip_len, *t = b + layout->ip_len;

    if (layout->v6) {
        if (memcmp(a, b, 4) != 0 || memcmp(a + 6, b + 6, 34) != 0)
            return FALSE;
    } else if (memcmp(a, b, 2) != 0 || memcmp(a + 6, b + 6, 4) != 0 ||
               memcmp(a + 12, b + 12, 8) != 0) {
        return FALSE;
    }
    if (memcmp(s, t, 4) != 0)
        return FALSE;
    if (layout->protocol == IPPROTO_UDP)
        return TRUE;
    return memcmp(s + 8, t + 8, 5) == 0 && ((s[13] ^ t[13]) & ~TH_PUSH) == 0 &&
           memcmp(s + 14, t + 14, 2) == 0 &&
           memcmp(s + 18, t + 18, layout->headers - layout->ip_len - 18) == 0;
}

/* Whether a packet may be with others at all: no options or pieces of IPv4, nothing said by flags
 * of TCP, and something to say. */
static gboolean mergeable(const guint8 *packet, const Layout *layout)
{
    if (layout->protocol == 0 || layout->headers == layout->len ||
        (!layout->v6 &&
         (layout->ip_len != sizeof(struct iphdr) || (get16(packet + 6) & 0x3fff) != 0)))
        return FALSE;
    if (layout->protocol == IPPROTO_UDP)
        return get16(packet + checksum_offset(layout)) != 0 &&
               get16(packet + layout->ip_len + 4) == layout->len - layout->ip_len;
    return (packet[layout->ip_len + 13] & ~TH_PUSH) == TH_ACK;
}

static gboolean joins(const guint8 *packet, const Layout *layout)
{
    gsize payload = layout->len - layout->headers;

    return group.count > 0 && group.count < MAX_BATCH && !group.complete &&
           layout->v6 == group.layout.v6 && layout->protocol == group.layout.protocol &&
           layout->headers == group.layout.headers && payload <= group.payload &&
           group.total + payload <= MAX_PACKET && same_headers(group.first, packet, layout) &&
           (layout->protocol == IPPROTO_UDP ||
            get32(packet + layout->ip_len + 4) == group.next_seq);
}

/* A packet goes to the device with those before it, or in a group of its own. */
static void give_to_device(guint8 *packet, gsize len)
{
    Layout layout;
    gsize payload;
    gboolean merges, push;

    if (!parse(packet, len, &layout))
        return;
    merges = mergeable(packet, &layout);
    payload = merges ? layout.len - layout.headers : 0;
    push = merges && layout.protocol == IPPROTO_TCP && (packet[layout.ip_len + 13] & TH_PUSH);
    if (merges && joins(packet, &layout)) {
        group.iov[group.n_iov++] = (struct iovec){packet + layout.headers, payload};
        group.total += payload;
        group.count++;
        group.first[layout.ip_len + 13] |= push ? TH_PUSH : 0;
        group.complete = push || payload < group.payload;
    } else {
        write_group();
        group.first = packet;
        group.layout = layout;
        group.payload = payload;
        group.total = layout.len;
        group.iov[1] = (struct iovec){packet, layout.len};
        group.n_iov = 2;
        group.count = 1;
        group.complete = !merges || push;
        group.next_seq =
            merges && layout.protocol == IPPROTO_TCP ? get32(packet + layout.ip_len + 4) : 0;
    }
    group.next_seq += (guint32) payload;
}

/* Receives what came together; FALSE if nothing came. */
static gboolean take_from_socket(void)
{
    static guint8 buffer[MAX_PACKET];
    union {
        char space[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct iovec iov = {buffer, sizeof buffer};
    struct msghdr message = {
        .msg_iov = &iov,
        .msg_iovlen = 1,
        .msg_control = control.space,
        .msg_controllen = sizeof control.space,
    };
    gssize got = recvmsg(udp, &message, 0);
    struct cmsghdr *found;
    gsize size;

    if (got < 0)
        return FALSE;
    size = (gsize) got;
    found = CMSG_FIRSTHDR(&message);
    if (found && found->cmsg_level == IPPROTO_UDP && found->cmsg_type == UDP_GRO) {
        int segment;

        memcpy(&segment, CMSG_DATA(found), sizeof segment);
        size = segment > 0 ? (gsize) segment : size;
    }
    for (gsize at = 0; at < (gsize) got; at += size) {
        gsize len = MIN(size, (gsize) got - at);

        if (len > HEADER)
            give_to_device(buffer + at + HEADER, len - HEADER);
    }
    write_group();
    return TRUE;
}

static gboolean inbound(void)
{
    for (guint turn = 0; turn < BUDGET; turn++) {
        if (!take_from_socket())
            return FALSE;
    }
    return TRUE;
}

/* ---- Start ---------------------------------------------------------------------------------- */

static void fail(const char *what)
{
    perror(what);
    exit(EXIT_FAILURE);
}

static void open_device(const char *name)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI | IFF_VNET_HDR};
    unsigned int offloads = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;

    g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
    tun = open("/dev/net/tun", O_RDWR | O_NONBLOCK | O_CLOEXEC);
    if (tun < 0 || ioctl(tun, TUNSETIFF, &request) < 0)
        fail("forwarder: cannot make the device");
    if (ioctl(tun, TUNSETOFFLOAD, offloads | TUN_F_USO4 | TUN_F_USO6) < 0 &&
        ioctl(tun, TUNSETOFFLOAD, offloads) < 0)
        fail("forwarder: the device takes no offloads");
}

static void open_socket(const char *local, const char *peer, const char *port)
{
    struct sockaddr_in from = {.sin_family = AF_INET, .sin_port = htons((guint16) atoi(port))};
    struct sockaddr_in to = from;
    int on = 1, size = BUFFERS;

    if (inet_pton(AF_INET, local, &from.sin_addr) != 1 ||
        inet_pton(AF_INET, peer, &to.sin_addr) != 1) {
        fprintf(stderr, "forwarder: the addresses have to be IPv4\n");
        exit(EXIT_FAILURE);
    }
    udp = socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
    if (udp < 0 || bind(udp, (struct sockaddr *) &from, sizeof from) < 0 ||
        connect(udp, (struct sockaddr *) &to, sizeof to) < 0)
        fail("forwarder: cannot open the socket");
    if (setsockopt(udp, IPPROTO_UDP, UDP_GRO, &on, sizeof on) < 0 ||
        setsockopt(udp, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0 ||
        setsockopt(udp, SOL_SOCKET, SO_SNDBUFFORCE, &size, sizeof size) < 0)
        fail("forwarder: cannot set up the socket");
}

int main(int argc, char **argv)
{
    struct pollfd fds[2];

    if (argc != 5) {
        fprintf(stderr, "usage: forwarder INTERFACE LOCAL-ADDRESS PEER-ADDRESS PORT\n");
        return 2;
    }
    open_device(argv[1]);
    open_socket(argv[2], argv[3], argv[4]);
    puts("ready");
    fflush(stdout);
    fds[0] = (struct pollfd){.fd = tun, .events = POLLIN};
    fds[1] = (struct pollfd){.fd = udp, .events = POLLIN};
    while (poll(fds, G_N_ELEMENTS(fds), -1) >= 0 || errno == EINTR) {
        while (inbound() + outbound() > 0)
            continue;
    }
    return EXIT_FAILURE;
}
