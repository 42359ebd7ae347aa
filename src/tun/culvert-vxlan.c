/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-vxlan.c: the headers of VXLAN packets: made once a flow, written before each frame, and
 * checked.
 */
#include "culvert-vxlan.h"

#include <netinet/in.h>
#include <string.h>

#include "culvert-checksum.h"
#include "culvert-ethernet.h"
#include "culvert-hash.h"
#include "culvert-ip.h"
#include "culvert-packet.h"

/* The header of RFC 7348, 5: flags, reserved, VNI, reserved. */
#define VXLAN_HEADER_SIZE 8
#define VXLAN_VNI         4
#define VXLAN_HAS_VNI     0x08

/* As the kernel's vxlan devices have it in a tunnel. */
#define TTL 64

/* The dynamic ports (RFC 6335, 6), as RFC 7348, 5 recommends. */
#define SOURCE_PORT_FIRST 49152
#define SOURCE_PORTS      16384

gboolean culvert_vtep_equal(const CulvertVtep *a, const CulvertVtep *b)
{
    return a->family == b->family && memcmp(a->address, b->address, sizeof a->address) == 0;
}

/* ---- A flow --------------------------------------------------------------------------------- */

static guint32 hash_ports(guint32 value, guint8 protocol, const guint8 *transport, gsize len)
{
    if (len < 4 || (protocol != IPPROTO_TCP && protocol != IPPROTO_UDP))
        return value;
    return culvert_hash(value, transport, 4);
}

/* No ports of fragments, all of which should go the same way. */
static guint32 hash_ip(guint32 value, const guint8 *ip, gsize len)
{
    gsize header = (gsize) (ip[0] & 15) * 4;

    if (ip[0] >> 4 == 6) {
        value = culvert_hash(value, ip + IPV6_ADDRESSES, 2 * IPV6_ADDRESS);
        return hash_ports(value, ip[IPV6_NEXT], ip + IPV6_HEADER_SIZE, len - IPV6_HEADER_SIZE);
    }
    value = culvert_hash(value, ip + IPV4_ADDRESSES, 2 * IPV4_ADDRESS);
    if ((culvert_get16(ip + IPV4_FRAGMENT) & IPV4_IS_FRAGMENT) != 0 || header > len)
        return value;
    return hash_ports(value, ip[IPV4_PROTOCOL], ip + header, len - header);
}

/* Who chooses the flows finds out no more by it than that two have the same port. */
static guint16 source_port(const guint8 *frame, const guint8 *ip, gsize ip_len)
{
    guint32 value = culvert_hash(CULVERT_HASH_BEGIN, frame, ETHERNET_HEADER_SIZE);

    if (ip)
        value = hash_ip(value, ip, ip_len);
    /* The upper half is mixed best. */
    return (guint16) (SOURCE_PORT_FIRST + (value >> 16) % SOURCE_PORTS);
}

/* ---- Out ------------------------------------------------------------------------------------ */

static void put_udp_vxlan(guint8 *udp, guint16 port, guint32 vni)
{
    culvert_put16(udp, port);
    culvert_put16(udp + UDP_DESTINATION_PORT, CULVERT_VXLAN_PORT);
    culvert_put16(udp + UDP_LENGTH, UDP_HEADER_SIZE + VXLAN_HEADER_SIZE);
    udp[UDP_HEADER_SIZE] = VXLAN_HAS_VNI;
    culvert_put32(udp + UDP_HEADER_SIZE + VXLAN_VNI, vni << 8);
}

static gsize put_ip(guint8 *header, const CulvertVtep *local, const CulvertVtep *remote, guint8 ecn)
{
    if (local->family == AF_INET) {
        header[0] = 0x45;
        header[IPV4_TOS] = ecn;
        culvert_put16(header + IPV4_LENGTH, CULVERT_VXLAN_HEADER_IPV4);
        header[IPV4_TTL] = TTL;
        header[IPV4_PROTOCOL] = IPPROTO_UDP;
        memcpy(header + IPV4_SOURCE, local->address, IPV4_ADDRESS);
        memcpy(header + IPV4_DESTINATION, remote->address, IPV4_ADDRESS);
        return IPV4_HEADER_SIZE;
    }
    header[0] = 0x60;
    header[1] = (guint8) (ecn << 4);
    culvert_put16(header + IPV6_LENGTH, UDP_HEADER_SIZE + VXLAN_HEADER_SIZE);
    header[IPV6_NEXT] = IPPROTO_UDP;
    header[IPV6_HOP_LIMIT] = TTL;
    memcpy(header + IPV6_SOURCE, local->address, IPV6_ADDRESS);
    memcpy(header + IPV6_DESTINATION, remote->address, IPV6_ADDRESS);
    return IPV6_HEADER_SIZE;
}

/* Without lengths and ID, which wrap() adds. */
static guint64 sum_headers(const CulvertVxlan *v)
{
    const guint8 *udp = v->header + IPV6_HEADER_SIZE;

    if (v->size == CULVERT_VXLAN_HEADER_IPV4)
        return culvert_checksum_add(0, v->header, IPV4_LENGTH) +
               culvert_checksum_add(0, v->header + IPV4_FRAGMENT, IPV4_HEADER_SIZE - IPV4_FRAGMENT);
    return culvert_checksum_add(culvert_checksum_pseudo(v->header, IPPROTO_UDP, 0), udp,
                                UDP_LENGTH) +
           culvert_checksum_add(0, udp + UDP_HEADER_SIZE, VXLAN_HEADER_SIZE);
}

void culvert_vxlan_begin(CulvertVxlan *v, guint32 vni, const CulvertVtep *local,
                         const CulvertVtep *remote, guint8 *frame, gsize len, guint16 id)
{
    gsize ip_len, udp;
    guint8 *ip = culvert_packet_in_frame(frame, len, &ip_len);

    memset(v->header, 0, sizeof v->header);
    udp = put_ip(v->header, local, remote, ip ? culvert_packet_ecn(ip) : 0);
    put_udp_vxlan(v->header + udp, source_port(frame, ip, ip_len), vni);
    v->size = udp + UDP_HEADER_SIZE + VXLAN_HEADER_SIZE;
    v->id = id;
    v->sum = sum_headers(v);
}

gsize culvert_vxlan_wrap(CulvertVxlan *v, guint8 *frame, gsize len)
{
    guint8 *packet = frame - v->size;
    guint16 udp_len = (guint16) (UDP_HEADER_SIZE + VXLAN_HEADER_SIZE + len), total;
    guint64 sum;

    memcpy(packet, v->header, v->size);
    culvert_put16(frame - VXLAN_HEADER_SIZE - UDP_HEADER_SIZE + UDP_LENGTH, udp_len);
    if (v->size == CULVERT_VXLAN_HEADER_IPV4) {
        total = IPV4_HEADER_SIZE + udp_len;
        culvert_put16(packet + IPV4_LENGTH, total);
        culvert_put16(packet + IPV4_ID, v->id);
        culvert_checksum_put(packet + IPV4_CHECKSUM,
                             v->sum + culvert_checksum_word(total) + culvert_checksum_word(v->id));
        v->id++;
        return v->size;
    }
    culvert_put16(packet + IPV6_LENGTH, udp_len);
    /* Once in the pseudo header, once in UDP's. */
    sum = culvert_checksum_add(v->sum + 2 * culvert_checksum_word(udp_len), frame, len);
    if (culvert_checksum_fold(sum) == 0)
        sum = 0;
    culvert_checksum_put(packet + IPV6_HEADER_SIZE + UDP_CHECKSUM, sum);
    return v->size;
}

/* ---- In ------------------------------------------------------------------------------------- */

/* The UDP header, *len bytes of it and what follows. NULL: not to us, not UDP, not whole. */
static guint8 *find_udp4(const CulvertVtep *local, guint8 *packet, gsize *len, CulvertVtep *source)
{
    gsize header = (gsize) (packet[0] & 15) * 4, total;

    if (*len < IPV4_HEADER_SIZE || header < IPV4_HEADER_SIZE)
        return NULL;
    total = culvert_get16(packet + IPV4_LENGTH);
    if (total > *len || header > total || packet[IPV4_PROTOCOL] != IPPROTO_UDP ||
        (culvert_get16(packet + IPV4_FRAGMENT) & IPV4_IS_FRAGMENT) != 0 ||
        memcmp(packet + IPV4_DESTINATION, local->address, IPV4_ADDRESS) != 0 ||
        culvert_checksum_fold(culvert_checksum_add(0, packet, header)) != 0)
        return NULL;
    memcpy(source->address, packet + IPV4_SOURCE, IPV4_ADDRESS);
    *len = total - header;
    return packet + header;
}

static guint8 *find_udp6(const CulvertVtep *local, guint8 *packet, gsize *len, CulvertVtep *source)
{
    gsize payload;

    if (*len < IPV6_HEADER_SIZE)
        return NULL;
    payload = culvert_get16(packet + IPV6_LENGTH);
    if (payload > *len - IPV6_HEADER_SIZE || packet[IPV6_NEXT] != IPPROTO_UDP ||
        memcmp(packet + IPV6_DESTINATION, local->address, IPV6_ADDRESS) != 0)
        return NULL;
    memcpy(source->address, packet + IPV6_SOURCE, IPV6_ADDRESS);
    *len = payload;
    return packet + IPV6_HEADER_SIZE;
}

static gboolean is_vxlan(guint32 vni, const guint8 *udp, gsize len)
{
    const guint8 *vxlan = udp + UDP_HEADER_SIZE;

    return len >= UDP_HEADER_SIZE + VXLAN_HEADER_SIZE + ETHERNET_HEADER_SIZE &&
           culvert_get16(udp + UDP_DESTINATION_PORT) == CULVERT_VXLAN_PORT &&
           (vxlan[0] & VXLAN_HAS_VNI) && culvert_get32(vxlan + VXLAN_VNI) >> 8 == vni;
}

static gboolean is_intact(const guint8 *packet, const guint8 *udp, guint16 len)
{
    if (culvert_get16(udp + UDP_CHECKSUM) == 0)
        return packet[0] >> 4 == 4;
    return culvert_checksum_fold(culvert_checksum_add(
               culvert_checksum_pseudo(packet, IPPROTO_UDP, len), udp, len)) == 0;
}

/* FALSE: to be dropped. */
static gboolean carry_mark(guint8 *frame, gsize len)
{
    gsize ip_len;
    guint8 *ip = culvert_packet_in_frame(frame, len, &ip_len);

    if (!ip)
        return TRUE;
    if (culvert_packet_ecn(ip) != CULVERT_ECN_CE)
        culvert_packet_mark_ce(ip);
    return culvert_packet_ecn(ip) == CULVERT_ECN_CE;
}

gboolean culvert_vxlan_unwrap(guint32 vni, const CulvertVtep *local, guint8 *packet, gsize len,
                              CulvertVtep *source, guint8 **frame, gsize *frame_len)
{
    gsize udp_len;
    guint8 *udp;

    if (len == 0 || packet[0] >> 4 != (local->family == AF_INET ? 4 : 6))
        return FALSE;
    *source = (CulvertVtep){.family = local->family};
    udp = local->family == AF_INET ? find_udp4(local, packet, &len, source)
                                   : find_udp6(local, packet, &len, source);
    if (!udp || len < UDP_HEADER_SIZE)
        return FALSE;
    udp_len = culvert_get16(udp + UDP_LENGTH);
    if (udp_len > len || !is_vxlan(vni, udp, udp_len) || !is_intact(packet, udp, (guint16) udp_len))
        return FALSE;
    *frame = udp + UDP_HEADER_SIZE + VXLAN_HEADER_SIZE;
    *frame_len = udp_len - UDP_HEADER_SIZE - VXLAN_HEADER_SIZE;
    return culvert_packet_ecn(packet) != CULVERT_ECN_CE || carry_mark(*frame, *frame_len);
}
