/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-coalesce.c: which packets are put together, and the header they get.
 *
 * An item is written as soon as no further packet can be added to it, so that only those with a
 * future stay open.
 */
#include "culvert-coalesce.h"

#include <netinet/in.h>

#include "culvert-checksum.h"
#include "culvert-ethernet.h"
#include "culvert-ip.h"

/* The longest packet: what IPv4's total length can say; so long that no one doubts IPv6's. */
#define PACKET_MAX 65535

/* Ports of tunnels whose drivers in the kernel lose the packets put together: VXLAN (RFC 7348; and
 * the port Linux had before that) and GENEVE (RFC 8926). */
#define PORT_VXLAN       4789
#define PORT_VXLAN_LINUX 8472
#define PORT_GENEVE      6081

typedef struct {
    guint8 *packet; /* its IP header */
    gsize len;
    guint32 hash;
    guint16 link;      /* bytes of the frame before the IP header */
    guint16 transport; /* 0: it has no flow */
    guint16 header;
    guint16 size; /* of the payload */
    gboolean is_tcp;
    gboolean may_merge;
} Parsed;

static guint64 get64(const guint8 *p)
{
    guint64 value;

    memcpy(&value, p, sizeof value);
    return value;
}

/* ---- What a packet is ----------------------------------------------------------------------- */

/* The tests for the IP headers: where the transport header is, 0 for all but plain TCP and UDP. A
 * wrong checksum is left for the kernel to see: putting packets together would make it right. */
static guint16 find_transport4(const guint8 *packet, gsize len, guint8 *protocol)
{
    if (len < IPV4_HEADER_SIZE || packet[0] != 0x45 || culvert_get16(packet + IPV4_LENGTH) != len ||
        (culvert_get16(packet + IPV4_FRAGMENT) & ~IPV4_DONT_FRAGMENT) != 0 ||
        culvert_checksum_fold(culvert_checksum_add(0, packet, IPV4_HEADER_SIZE)) != 0)
        return 0;
    *protocol = packet[IPV4_PROTOCOL];
    return IPV4_HEADER_SIZE;
}

static guint16 find_transport6(const guint8 *packet, gsize len, guint8 *protocol)
{
    if (len < IPV6_HEADER_SIZE || packet[0] >> 4 != 6 ||
        culvert_get16(packet + IPV6_LENGTH) != len - IPV6_HEADER_SIZE)
        return 0;
    *protocol = packet[IPV6_NEXT];
    return IPV6_HEADER_SIZE;
}

/* Addresses and ports follow each other in packets without options. */
static guint32 hash_flow(const guint8 *packet, guint16 transport, gboolean is_tcp)
{
    static const guint64 odd = 0x9e3779b97f4a7c15; /* 2^64 by the golden ratio: Knuth, TAOCP 6.4 */
    guint64 hash = (guint64) culvert_get32(packet + transport) * odd + (guint64) is_tcp;
    gsize at = transport == IPV4_HEADER_SIZE ? IPV4_ADDRESSES : IPV6_ADDRESSES;

    for (; at < transport; at += 8)
        hash = (hash ^ get64(packet + at)) * odd;
    return (guint32) (hash >> 32);
}

static gboolean parse_tcp(const CulvertCoalescer *c, Parsed *p, guint16 transport)
{
    const guint8 *tcp = p->packet + transport;
    gsize len = p->len - transport, header;

    if (len < TCP_HEADER_SIZE)
        return FALSE;
    header = (gsize) (tcp[TCP_OFFSET] >> 4) * 4;
    if (header < TCP_HEADER_SIZE || header > len)
        return FALSE;
    p->header = (guint16) (transport + header);
    p->size = (guint16) (len - header);
    /* The bits beside the header's length are not yet flags, or new ones (RFC 9293, 3.1). */
    p->may_merge = (c->kinds & CULVERT_COALESCE_TCP) && p->size > 0 &&
                   (tcp[TCP_FLAGS] & ~TCP_PSH) == TCP_ACK && (tcp[TCP_OFFSET] & 15) == 0;
    return TRUE;
}

static gboolean is_tunnel(guint16 port)
{
    return port == PORT_VXLAN || port == PORT_VXLAN_LINUX || port == PORT_GENEVE;
}

static gboolean parse_udp(const CulvertCoalescer *c, Parsed *p, guint16 transport)
{
    const guint8 *udp = p->packet + transport;
    gsize len = p->len - transport;

    if (len < UDP_HEADER_SIZE)
        return FALSE;
    p->header = transport + UDP_HEADER_SIZE;
    p->size = (guint16) (len - UDP_HEADER_SIZE);
    /* A checksum of zero: none (RFC 768). Put together, it would get one. */
    p->may_merge = (c->kinds & CULVERT_COALESCE_UDP) && p->size > 0 &&
                   culvert_get16(udp + UDP_LENGTH) == len &&
                   culvert_get16(udp + UDP_CHECKSUM) != 0 &&
                   !is_tunnel(culvert_get16(udp + UDP_DESTINATION_PORT));
    return TRUE;
}

static void parse(const CulvertCoalescer *c, Parsed *p, guint8 *packet, gsize len)
{
    guint8 protocol = 0;
    guint16 transport = len > 0 && packet[0] >> 4 == 4 ? find_transport4(packet, len, &protocol)
                        : len > 0                      ? find_transport6(packet, len, &protocol)
                                                       : 0;

    p->packet = packet;
    p->len = len;
    p->transport = 0;
    p->may_merge = FALSE;
    p->is_tcp = protocol == IPPROTO_TCP;
    if (transport == 0 || (!p->is_tcp && protocol != IPPROTO_UDP) ||
        !(p->is_tcp ? parse_tcp(c, p, transport) : parse_udp(c, p, transport)))
        return;
    p->transport = transport;
    p->hash = hash_flow(packet, transport, p->is_tcp);
}

static gboolean has_push(const Parsed *p)
{
    return p->is_tcp && (p->packet[p->transport + TCP_FLAGS] & TCP_PSH) != 0;
}

/* ---- Writing -------------------------------------------------------------------------------- */

static void write_alone(CulvertCoalescer *c, guint8 *packet, gsize len)
{
    CulvertWrite *alone = &c->alone;

    alone->iov[1].iov_base = packet;
    alone->iov[1].iov_len = len;
    c->write(alone, c->user_data);
}

/* The header of all: the lengths, and instead of the checksum the sum of the pseudo header, which
 * the kernel takes as a start if it has to compute one. */
static void make_header(CulvertCoalesceItem *item)
{
    guint8 *packet = item->packet, *transport = packet + item->transport;
    guint16 len = (guint16) (item->len - item->transport), pseudo;
    guint8 protocol = item->is_tcp ? IPPROTO_TCP : IPPROTO_UDP;

    if (item->transport == IPV4_HEADER_SIZE) {
        culvert_put16(packet + IPV4_LENGTH, (guint16) item->len);
        culvert_put16(packet + IPV4_CHECKSUM, 0);
        culvert_checksum_put(packet + IPV4_CHECKSUM,
                             culvert_checksum_add(0, packet, IPV4_HEADER_SIZE));
    } else {
        culvert_put16(packet + IPV6_LENGTH, len);
    }
    if (!item->is_tcp)
        culvert_put16(transport + UDP_LENGTH, len);
    pseudo = (guint16) ~culvert_checksum_fold(culvert_checksum_pseudo(packet, protocol, len));
    memcpy(transport + (item->is_tcp ? TCP_CHECKSUM : UDP_CHECKSUM), &pseudo, sizeof pseudo);
}

static guint8 gso_type(const CulvertCoalesceItem *item)
{
    if (!item->is_tcp)
        return VIRTIO_NET_HDR_GSO_UDP_L4;
    return item->transport == IPV4_HEADER_SIZE ? VIRTIO_NET_HDR_GSO_TCPV4
                                               : VIRTIO_NET_HDR_GSO_TCPV6;
}

static void write_item(const CulvertCoalescer *c, CulvertCoalesceItem *item)
{
    CulvertWrite *write = &item->write;

    if (write->packets > 1) {
        make_header(item);
        write->vnet = (struct virtio_net_hdr){
            .flags = VIRTIO_NET_HDR_F_NEEDS_CSUM,
            .gso_type = gso_type(item),
            .hdr_len = item->link + item->header,
            .gso_size = item->size,
            .csum_start = item->link + item->transport,
            .csum_offset = item->is_tcp ? TCP_CHECKSUM : UDP_CHECKSUM,
        };
    } else {
        memset(&write->vnet, 0, sizeof write->vnet);
    }
    c->write(write, c->user_data);
}

/* Writes the open item at this place of the order, which thereby is no longer open. */
static void close_item(CulvertCoalescer *c, guint place)
{
    guint8 index = c->open[place];
    guint behind = c->n_open - place - 1;

    write_item(c, &c->items[index]);
    memmove(c->open + place, c->open + place + 1, behind * sizeof c->open[0]);
    memmove(c->hashes + place, c->hashes + place + 1, behind * sizeof c->hashes[0]);
    c->n_open--;
    c->unused[CULVERT_COALESCE_FLOWS - 1 - c->n_open] = index;
}

/* ---- Which packets belong together ---------------------------------------------------------- */

static gboolean is_same_flow(const CulvertCoalesceItem *item, const Parsed *p)
{
    const guint8 *a = item->packet, *b = p->packet;

    if (item->is_tcp != p->is_tcp || item->transport != p->transport || item->link != p->link ||
        (p->link > 0 && memcmp(a - p->link, b - p->link, p->link) != 0))
        return FALSE;
    if (p->transport == IPV4_HEADER_SIZE)
        return memcmp(a + IPV4_ADDRESSES, b + IPV4_ADDRESSES, 8 + 4) == 0;
    return memcmp(a + IPV6_ADDRESSES, b + IPV6_ADDRESSES, 32 + 4) == 0;
}

/* The place of the flow's item in the order; n_open if it has none. */
static guint find_item(const CulvertCoalescer *c, const Parsed *p)
{
    guint place = 0;

    while (place < c->n_open &&
           (c->hashes[place] != p->hash || !is_same_flow(&c->items[c->open[place]], p)))
        place++;
    return place;
}

/* The second packet decides whether IDs ascend or, where they have no meaning, stay (the kernel's
 * inet_gro_flush). */
static gboolean is_next_id(CulvertCoalesceItem *item, const guint8 *packet)
{
    guint16 id = culvert_get16(packet + IPV4_ID);

    if (item->write.packets == 1)
        item->has_fixed_id = id == item->id && (packet[IPV4_FRAGMENT] & IPV4_DONT_FRAGMENT >> 8);
    return id == (guint16) (item->id + (item->has_fixed_id ? 0 : item->write.packets));
}

static gboolean is_next_ip(CulvertCoalesceItem *item, const Parsed *p)
{
    const guint8 *a = item->packet, *b = p->packet;

    if (p->transport == IPV4_HEADER_SIZE)
        return a[IPV4_TOS] == b[IPV4_TOS] && a[IPV4_TTL] == b[IPV4_TTL] &&
               memcmp(a + IPV4_FRAGMENT, b + IPV4_FRAGMENT, 2) == 0 && is_next_id(item, b);
    /* Version, traffic class and flow label. */
    return memcmp(a, b, 4) == 0 && a[IPV6_HOP_LIMIT] == b[IPV6_HOP_LIMIT];
}

static gboolean is_next_tcp(const CulvertCoalesceItem *item, const Parsed *p)
{
    const guint8 *a = item->packet + item->transport, *b = p->packet + p->transport;

    return item->header == p->header && culvert_get32(b + TCP_SEQUENCE) == item->sequence &&
           memcmp(a + TCP_ACKNOWLEDGEMENT, b + TCP_ACKNOWLEDGEMENT, 4) == 0 &&
           memcmp(a + TCP_WINDOW, b + TCP_WINDOW, 2) == 0 &&
           memcmp(a + TCP_URGENT, b + TCP_URGENT, 2) == 0 &&
           memcmp(a + TCP_HEADER_SIZE, b + TCP_HEADER_SIZE,
                  (gsize) (p->header - p->transport) - TCP_HEADER_SIZE) == 0;
}

static gboolean is_next(CulvertCoalesceItem *item, const Parsed *p)
{
    return p->may_merge && p->size <= item->size && item->len + p->size <= PACKET_MAX &&
           (!item->is_tcp || is_next_tcp(item, p)) && is_next_ip(item, p);
}

static void append_slice(CulvertWrite *write, guint8 *data, gsize len)
{
    struct iovec *slice = &write->iov[write->n_iov++];

    slice->iov_base = data;
    slice->iov_len = len;
    write->packets++;
}

/* Whether nothing can follow: a shorter packet and one with PSH are the last. */
static gboolean append(CulvertCoalesceItem *item, const Parsed *p)
{
    append_slice(&item->write, p->packet + p->header, p->size);
    item->len += p->size;
    item->sequence += p->size;
    if (has_push(p))
        item->packet[item->transport + TCP_FLAGS] |= TCP_PSH;
    return p->size < item->size || has_push(p) ||
           item->write.packets == CULVERT_COALESCE_PACKETS_MAX;
}

static void open_item(CulvertCoalescer *c, const Parsed *p)
{
    CulvertCoalesceItem *item;
    guint8 index;

    if (c->n_open == CULVERT_COALESCE_FLOWS)
        close_item(c, 0);
    index = c->unused[CULVERT_COALESCE_FLOWS - 1 - c->n_open];
    c->open[c->n_open] = index;
    c->hashes[c->n_open] = p->hash;
    c->n_open++;
    item = &c->items[index];
    item->packet = p->packet;
    item->len = p->len;
    item->size = p->size;
    item->link = p->link;
    item->transport = p->transport;
    item->header = p->header;
    item->is_tcp = p->is_tcp;
    item->sequence = culvert_get32(p->packet + p->transport + TCP_SEQUENCE) + p->size;
    item->id = culvert_get16(p->packet + IPV4_ID);
    item->write.n_iov = 1;
    item->write.packets = 0;
    append_slice(&item->write, p->packet - p->link, p->link + p->len);
}

/* ---- Packets without a flow ----------------------------------------------------------------- */

static gboolean has_addresses(const CulvertCoalesceItem *item, const guint8 *packet, gsize len)
{
    const guint8 *open = item->packet;

    if (len < IPV4_HEADER_SIZE || packet[0] >> 4 != open[0] >> 4)
        return FALSE;
    if (packet[0] >> 4 == 4)
        return memcmp(packet + IPV4_ADDRESSES, open + IPV4_ADDRESSES, 8) == 0;
    return len >= IPV6_HEADER_SIZE &&
           memcmp(packet + IPV6_ADDRESSES, open + IPV6_ADDRESSES, 32) == 0;
}

/* It may be the rest of a packet of any flow between these addresses. */
static void close_between(CulvertCoalescer *c, const guint8 *packet, gsize len)
{
    guint place = 0;

    while (place < c->n_open) {
        if (has_addresses(&c->items[c->open[place]], packet, len))
            close_item(c, place);
        else
            place++;
    }
}

/* ---- Public --------------------------------------------------------------------------------- */

static void init_write(CulvertWrite *write)
{
    memset(&write->vnet, 0, sizeof write->vnet);
    write->iov[0].iov_base = &write->vnet;
    write->iov[0].iov_len = sizeof write->vnet;
    write->n_iov = 2;
    write->packets = 1;
}

void culvert_coalescer_init(CulvertCoalescer *c, CulvertCoalesceKinds kinds, CulvertWriteFunc write,
                            gpointer user_data)
{
    c->write = write;
    c->user_data = user_data;
    c->kinds = kinds;
    c->n_open = 0;
    init_write(&c->alone);
    for (guint8 i = 0; i < CULVERT_COALESCE_FLOWS; i++) {
        init_write(&c->items[i].write);
        c->unused[i] = i;
    }
}

/* An IP packet, `link` bytes of a frame before it and `padding` behind. */
static void add(CulvertCoalescer *c, guint8 *packet, gsize len, gsize link, gsize padding)
{
    Parsed p;
    guint place;

    parse(c, &p, packet, len);
    p.link = (guint16) link;
    if (p.transport == 0) {
        close_between(c, packet, len);
        write_alone(c, packet - link, link + len + padding);
        return;
    }
    if (padding > 0)
        p.may_merge = FALSE;
    place = find_item(c, &p);
    if (place < c->n_open) {
        CulvertCoalesceItem *item = &c->items[c->open[place]];

        if (is_next(item, &p)) {
            if (append(item, &p))
                close_item(c, place);
            return;
        }
        close_item(c, place);
    }
    if (p.may_merge && !has_push(&p))
        open_item(c, &p);
    else
        write_alone(c, packet - link, link + len + padding);
}

void culvert_coalescer_add(CulvertCoalescer *c, guint8 *packet, gsize len)
{
    add(c, packet, len, 0, 0);
}

/* How much behind the IP header is not of the packet, if that says so. */
static gsize find_padding(const guint8 *packet, gsize len)
{
    gsize said = len;

    if (packet[0] >> 4 == 4 && len >= IPV4_HEADER_SIZE)
        said = culvert_get16(packet + IPV4_LENGTH);
    else if (packet[0] >> 4 == 6 && len >= IPV6_HEADER_SIZE)
        said = IPV6_HEADER_SIZE + (gsize) culvert_get16(packet + IPV6_LENGTH);
    return said < len ? len - said : 0;
}

void culvert_coalescer_add_frame(CulvertCoalescer *c, guint8 *frame, gsize len)
{
    gsize link = culvert_ethernet_find_ip(frame, len), padding;

    if (link == 0) {
        write_alone(c, frame, len);
        return;
    }
    padding = find_padding(frame + link, len - link);
    add(c, frame + link, len - link - padding, link, padding);
}

void culvert_coalescer_flush(CulvertCoalescer *c)
{
    while (c->n_open > 0)
        close_item(c, 0);
}

void culvert_coalescer_set_kinds(CulvertCoalescer *c, CulvertCoalesceKinds kinds)
{
    c->kinds = kinds;
}
