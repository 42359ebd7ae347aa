/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-segment.c: one large packet becomes many, in place; checksums of those and of packets
 * that come without.
 *
 * The sums of the headers are taken once, with all that differs between the segments left out, so
 * that a segment costs one pass over its payload and a few additions.
 */
#include "culvert-segment.h"

#include <netinet/in.h>
#include <string.h>

#include "culvert-checksum.h"
#include "culvert-ip.h"

/* ---- Headers -------------------------------------------------------------------------------- */

/* Where the TCP or UDP header is; 0 if there is none, or not for sure. */
static gsize find_transport4(const guint8 *packet, gsize len, guint8 *protocol)
{
    gsize header = (gsize) (packet[0] & 15) * 4;

    if (header < IPV4_HEADER_SIZE || header > len ||
        (culvert_get16(packet + IPV4_FRAGMENT) & IPV4_IS_FRAGMENT) != 0)
        return 0;
    *protocol = packet[IPV4_PROTOCOL];
    return header;
}

/* Past the extension headers that a segment can have (RFC 8200, 4). A routing header that is not
 * yet through is not among them: the checksum would be that of another destination. */
static gsize find_transport6(const guint8 *packet, gsize len, guint8 *protocol)
{
    gsize at = IPV6_HEADER_SIZE;

    *protocol = packet[IPV6_NEXT];
    while (*protocol == IPPROTO_HOPOPTS || *protocol == IPPROTO_DSTOPTS ||
           *protocol == IPPROTO_ROUTING) {
        if (len - at < 8 || (*protocol == IPPROTO_ROUTING && packet[at + 3] != 0))
            return 0;
        *protocol = packet[at];
        at += ((gsize) packet[at + 1] + 1) * 8;
        if (at > len)
            return 0;
    }
    return at;
}

static gsize find_transport(CulvertSegmenter *s, const guint8 *packet, gsize len, guint8 *protocol)
{
    guint version = len > 0 ? packet[0] >> 4 : 0;

    s->is_ipv4 = version == 4;
    if (version == 4 && len >= IPV4_HEADER_SIZE)
        return find_transport4(packet, len, protocol);
    if (version == 6 && len >= IPV6_HEADER_SIZE)
        return find_transport6(packet, len, protocol);
    return 0;
}

/* Of the TCP or UDP header; 0 if it is not all there. */
static gsize transport_size(const guint8 *transport, gsize len, gboolean is_tcp)
{
    gsize size;

    if (!is_tcp)
        return len >= UDP_HEADER_SIZE ? UDP_HEADER_SIZE : 0;
    if (len < TCP_HEADER_SIZE)
        return 0;
    size = (gsize) (transport[TCP_OFFSET] >> 4) * 4;
    return size >= TCP_HEADER_SIZE && size <= len ? size : 0;
}

static gboolean is_kind(const CulvertSegmenter *s, guint8 gso_type, guint8 protocol)
{
    switch (gso_type & ~VIRTIO_NET_HDR_GSO_ECN) {
    case VIRTIO_NET_HDR_GSO_TCPV4:
        return s->is_ipv4 && protocol == IPPROTO_TCP;
    case VIRTIO_NET_HDR_GSO_TCPV6:
        return !s->is_ipv4 && protocol == IPPROTO_TCP;
    case VIRTIO_NET_HDR_GSO_UDP_L4:
        return protocol == IPPROTO_UDP;
    default:
        return FALSE;
    }
}

/* Of an IP packet, `link` bytes behind the start. */
static gboolean find_headers(CulvertSegmenter *s, guint8 gso_type, const guint8 *packet, gsize len,
                             gsize link)
{
    guint8 protocol = 0;
    gsize transport = find_transport(s, packet, len, &protocol), size;

    if (transport == 0 || !is_kind(s, gso_type, protocol))
        return FALSE;
    s->is_tcp = protocol == IPPROTO_TCP;
    size = transport_size(packet + transport, len - transport, s->is_tcp);
    if (size == 0 || transport + size > CULVERT_SEGMENT_HEADER_MAX)
        return FALSE;
    s->link = (guint16) link;
    s->transport = (guint16) (link + transport);
    s->header = (guint16) (link + transport + size);
    return TRUE;
}

/* ---- Begin ---------------------------------------------------------------------------------- */

/* The packet's header, with zeroes for all that differs, and the sums over that. */
static void make_template(CulvertSegmenter *s, const guint8 *packet)
{
    guint8 *ip = s->template + s->link, *transport = s->template + s->transport;

    memcpy(s->template, packet, s->header);
    s->id = 0;
    if (s->is_ipv4) {
        s->id = culvert_get16(ip + IPV4_ID);
        culvert_put16(ip + IPV4_LENGTH, 0);
        culvert_put16(ip + IPV4_ID, 0);
        culvert_put16(ip + IPV4_CHECKSUM, 0);
        s->ip_sum = culvert_checksum_add(0, ip, s->transport - s->link);
    }
    if (s->is_tcp) {
        s->sequence = culvert_get32(transport + TCP_SEQUENCE);
        s->flags = transport[TCP_FLAGS];
        culvert_put32(transport + TCP_SEQUENCE, 0);
        transport[TCP_FLAGS] = 0;
        culvert_put16(transport + TCP_CHECKSUM, 0);
    } else {
        culvert_put16(transport + UDP_LENGTH, 0);
        culvert_put16(transport + UDP_CHECKSUM, 0);
    }
    s->l4_sum = culvert_checksum_pseudo(ip, s->is_tcp ? IPPROTO_TCP : IPPROTO_UDP, 0);
    s->l4_sum = culvert_checksum_add(s->l4_sum, transport, s->header - s->transport);
}

static gboolean begin_gso(CulvertSegmenter *s, const struct virtio_net_hdr *vnet, guint8 *packet,
                          gsize len, gsize link)
{
    gsize count;

    if (vnet->gso_size == 0 || !find_headers(s, vnet->gso_type, packet + link, len - link, link))
        return FALSE;
    s->rest = len - s->header;
    /* Each segment has a length field of 16 bits; so has the count. */
    if (s->header - link + MIN(s->rest, vnet->gso_size) > G_MAXUINT16)
        return FALSE;
    count = s->rest == 0 ? 1 : (s->rest + vnet->gso_size - 1) / vnet->gso_size;
    if (count > G_MAXUINT16)
        return FALSE;
    s->count = (guint16) count;
    s->packet = packet;
    s->size = vnet->gso_size;
    make_template(s, packet);
    return TRUE;
}

/* The field has the sum of the pseudo header in it. A UDP checksum of zero would say that there is
 * none (RFC 768). */
static gboolean complete_checksum(const struct virtio_net_hdr *vnet, guint8 *packet, gsize len)
{
    gsize start = vnet->csum_start, field = start + vnet->csum_offset;
    guint64 sum;

    if (field + 2 > len)
        return FALSE;
    sum = culvert_checksum_add(0, packet + start, len - start);
    if (vnet->csum_offset == UDP_CHECKSUM && culvert_checksum_fold(sum) == 0)
        sum = 0;
    culvert_checksum_put(packet + field, sum);
    return TRUE;
}

static gboolean begin_one(CulvertSegmenter *s, const struct virtio_net_hdr *vnet, guint8 *packet,
                          gsize len)
{
    if ((vnet->flags & VIRTIO_NET_HDR_F_NEEDS_CSUM) && !complete_checksum(vnet, packet, len))
        return FALSE;
    s->packet = packet;
    s->rest = len;
    s->size = 0;
    s->count = 1;
    return TRUE;
}

gboolean culvert_segmenter_begin(CulvertSegmenter *s, const struct virtio_net_hdr *vnet,
                                 guint8 *packet, gsize len)
{
    s->rest = 0;
    s->count = 0;
    if (len == 0)
        return FALSE;
    if (vnet->gso_type != VIRTIO_NET_HDR_GSO_NONE)
        return begin_gso(s, vnet, packet, len, 0);
    return begin_one(s, vnet, packet, len);
}

gboolean culvert_segmenter_begin_frame(CulvertSegmenter *s, const struct virtio_net_hdr *vnet,
                                       guint8 *frame, gsize len)
{
    gsize link;

    s->rest = 0;
    s->count = 0;
    if (len < ETHERNET_HEADER_SIZE)
        return FALSE;
    if (vnet->gso_type == VIRTIO_NET_HDR_GSO_NONE)
        return begin_one(s, vnet, frame, len);
    link = culvert_ethernet_find_ip(frame, len);
    return link > 0 && begin_gso(s, vnet, frame, len, link);
}

guint culvert_segmenter_count(const CulvertSegmenter *s)
{
    return s->count;
}

/* ---- Next ----------------------------------------------------------------------------------- */

static void put_tcp(CulvertSegmenter *s, guint8 *tcp, gboolean is_last, guint64 sum)
{
    guint8 flags = s->flags;

    if (!is_last)
        flags &= (guint8) ~(TCP_FIN | TCP_PSH);
    tcp[TCP_FLAGS] = flags;
    culvert_put32(tcp + TCP_SEQUENCE, s->sequence);
    sum += culvert_checksum_word(flags) + culvert_checksum_word((guint16) s->sequence) +
           culvert_checksum_word((guint16) (s->sequence >> 16));
    culvert_checksum_put(tcp + TCP_CHECKSUM, sum);
    s->sequence += s->size;
    s->flags &= (guint8) ~TCP_CWR;
}

static void put_udp(guint8 *udp, guint16 len, guint64 sum)
{
    culvert_put16(udp + UDP_LENGTH, len);
    sum += culvert_checksum_word(len);
    if (culvert_checksum_fold(sum) == 0)
        sum = 0;
    culvert_checksum_put(udp + UDP_CHECKSUM, sum);
}

static void put_ip(CulvertSegmenter *s, guint8 *ip, guint16 len)
{
    if (!s->is_ipv4) {
        culvert_put16(ip + IPV6_LENGTH, (guint16) (len - IPV6_HEADER_SIZE));
        return;
    }
    culvert_put16(ip + IPV4_LENGTH, len);
    culvert_put16(ip + IPV4_ID, s->id);
    culvert_checksum_put(ip + IPV4_CHECKSUM,
                         s->ip_sum + culvert_checksum_word(len) + culvert_checksum_word(s->id));
    s->id++;
}

gsize culvert_segmenter_next(CulvertSegmenter *s, guint8 **segment)
{
    guint8 *packet = s->packet;
    gsize payload, len;
    guint16 transport_len;
    guint64 sum;

    if (s->count == 0)
        return 0;
    *segment = packet;
    if (s->size == 0) {
        s->count = 0;
        return s->rest;
    }
    payload = MIN(s->rest, s->size);
    len = s->header + payload;
    transport_len = (guint16) (len - s->transport);
    memcpy(packet, s->template, s->header);
    put_ip(s, packet + s->link, (guint16) (len - s->link));
    sum = s->l4_sum + culvert_checksum_word(transport_len);
    sum = culvert_checksum_add(sum, packet + s->header, payload);
    if (s->is_tcp)
        put_tcp(s, packet + s->transport, payload == s->rest, sum);
    else
        put_udp(packet + s->transport, transport_len, sum);
    s->packet += payload;
    s->rest -= payload;
    s->count--;
    return len;
}
