/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-packet.c: ECN, ports and ICMP errors of the packets in the tunnel.
 */
#include "culvert-packet.h"

#include "culvert-checksum.h"
#include "culvert-ethernet.h"
#include "culvert-ip.h"

#include <netinet/icmp6.h>
#include <netinet/in.h>
#include <netinet/ip_icmp.h>
#include <string.h>

#define ICMP_HEADER_SIZE 8

/* How much of the packet an ICMP error quotes: as much as fits 576 bytes (RFC 1812, 4.3.2.3), or
 * IPv6's minimum MTU. */
#define ICMP4_QUOTE_MAX (576 - IPV4_HEADER_SIZE - ICMP_HEADER_SIZE)
#define ICMP6_QUOTE_MAX (CULVERT_UNREACHABLE_MAX - IPV6_HEADER_SIZE - ICMP_HEADER_SIZE)

#define REPLY_TTL 64

static guint version(const guint8 *packet)
{
    return packet[0] >> 4;
}

guint8 *culvert_packet_in_frame(guint8 *frame, gsize len, gsize *packet_len)
{
    gsize at = culvert_ethernet_find_ip(frame, len);

    *packet_len = 0;
    if (at == 0)
        return NULL;
    *packet_len = len - at;
    return *packet_len >= (version(frame + at) == 4 ? IPV4_HEADER_SIZE : IPV6_HEADER_SIZE)
               ? frame + at
               : NULL;
}

/* ---- ECN ------------------------------------------------------------------------------------ */

/* IPv4 has the DS field in its second byte; IPv6 across its first two. */
guint8 culvert_packet_ecn(const guint8 *packet)
{
    return (version(packet) == 4 ? packet[IPV4_TOS] : packet[1] >> 4) & CULVERT_ECN_MASK;
}

guint8 culvert_packet_outer_ecn(const guint8 *packet)
{
    guint8 ecn = culvert_packet_ecn(packet);

    return ecn == CULVERT_ECN_CE ? 2 /* ECT(0) */ : ecn;
}

void culvert_packet_mark_ce(guint8 *packet)
{
    if (culvert_packet_ecn(packet) == 0)
        return;
    if (version(packet) == 6) {
        packet[1] |= CULVERT_ECN_CE << 4;
        return;
    }
    /* RFC 1624: HC' = ~(~HC + ~m + m'), of the header's first word. */
    guint32 sum =
        (guint16) ~culvert_get16(packet + IPV4_CHECKSUM) + (guint16) ~culvert_get16(packet);

    packet[IPV4_TOS] |= CULVERT_ECN_CE;
    culvert_put16(packet + IPV4_CHECKSUM, culvert_checksum_fold(sum + culvert_get16(packet)));
}

/* ---- Ports ---------------------------------------------------------------------------------- */

static gsize ipv4_header_size(const guint8 *packet)
{
    return (gsize) (packet[0] & 15) * 4;
}

static gboolean is_later_fragment(const guint8 *packet)
{
    return (culvert_get16(packet + IPV4_FRAGMENT) & IPV4_FRAGMENT_OFFSET) != 0;
}

static gboolean has_fragment_header(const guint8 *packet, gsize len)
{
    return packet[IPV6_NEXT] == IPPROTO_FRAGMENT &&
           len >= IPV6_HEADER_SIZE + IPV6_FRAGMENT_HEADER_SIZE;
}

static gboolean is_first_fragment6(const guint8 *packet, gsize len)
{
    return has_fragment_header(packet, len) &&
           (culvert_get16(packet + IPV6_HEADER_SIZE + IPV6_FRAGMENT_FIELD) &
            IPV6_FRAGMENT_OFFSET) == 0;
}

gboolean culvert_packet_is_udp_to(const guint8 *packet, gsize len, guint16 source_port, int family,
                                  const guint8 *address, guint16 port)
{
    gsize header;

    if (version(packet) == 4) {
        header = ipv4_header_size(packet);
        if (family != AF_INET || packet[IPV4_PROTOCOL] != IPPROTO_UDP ||
            is_later_fragment(packet) ||
            memcmp(packet + IPV4_DESTINATION, address, IPV4_ADDRESS) != 0)
            return FALSE;
    } else {
        header = IPV6_HEADER_SIZE;
        if (family != AF_INET6 || memcmp(packet + IPV6_DESTINATION, address, IPV6_ADDRESS) != 0)
            return FALSE;
        if (is_first_fragment6(packet, len)) {
            if (packet[header + IPV6_FRAGMENT_NEXT] != IPPROTO_UDP)
                return FALSE;
            header += IPV6_FRAGMENT_HEADER_SIZE;
        } else if (packet[IPV6_NEXT] != IPPROTO_UDP) {
            return FALSE;
        }
    }
    return len >= header + UDP_HEADER_SIZE && culvert_get16(packet + header) == source_port &&
           culvert_get16(packet + header + UDP_DESTINATION_PORT) == port;
}

/* ---- Tunnels in the tunnel ------------------------------------------------------------------ */

/* The four kinds of messages: types 1 to 4, three zero bytes, and their lengths (WireGuard paper,
 * 5.4). */
static gboolean is_tunnel_message(const guint8 *payload, gsize len)
{
    static const gsize sizes[] = {[1] = 148, [2] = 92, [3] = 64};

    if (len < 32 || payload[1] != 0 || payload[2] != 0 || payload[3] != 0)
        return FALSE;
    return payload[0] == 4 || (payload[0] >= 1 && payload[0] <= 3 && len == sizes[payload[0]]);
}

typedef struct {
    gsize udp;      /* where the UDP header is; 0: nowhere */
    gboolean later; /* not the first fragment */
} Udp;

static Udp find_udp4(const guint8 *packet)
{
    Udp found = {0};

    if (packet[IPV4_PROTOCOL] != IPPROTO_UDP)
        return found;
    found.later = is_later_fragment(packet);
    found.udp = ipv4_header_size(packet);
    return found;
}

static Udp find_udp6(const guint8 *packet, gsize len)
{
    Udp found = {0};

    if (packet[IPV6_NEXT] == IPPROTO_UDP) {
        found.udp = IPV6_HEADER_SIZE;
    } else if (has_fragment_header(packet, len) &&
               packet[IPV6_HEADER_SIZE + IPV6_FRAGMENT_NEXT] == IPPROTO_UDP) {
        found.later = !is_first_fragment6(packet, len);
        found.udp = IPV6_HEADER_SIZE + IPV6_FRAGMENT_HEADER_SIZE;
    }
    return found;
}

CulvertHops culvert_packet_outer_hops(const guint8 *packet, gsize len, guint8 *hop_limit)
{
    guint8 own = packet[version(packet) == 4 ? IPV4_TTL : IPV6_HOP_LIMIT];
    Udp found = version(packet) == 4 ? find_udp4(packet) : find_udp6(packet, len);
    gsize payload = found.udp + UDP_HEADER_SIZE;

    if (found.udp == 0)
        return CULVERT_HOPS_DEFAULT;
    if (!found.later) {
        /* By its UDP header, not by the packet: a first fragment has not all of it. */
        if (len < payload + 4 ||
            !is_tunnel_message(packet + payload,
                               (gsize) culvert_get16(packet + found.udp + UDP_LENGTH) -
                                   UDP_HEADER_SIZE))
            return CULVERT_HOPS_DEFAULT;
        if (own <= CULVERT_NESTING_COST)
            return CULVERT_HOPS_USED_UP;
    } else if (own <= CULVERT_NESTING_COST) {
        return CULVERT_HOPS_DEFAULT;
    }
    *hop_limit = own - CULVERT_NESTING_COST;
    return CULVERT_HOPS_LIMITED;
}

/* ---- Unreachable ---------------------------------------------------------------------------- */

static gboolean is_icmp4_error(const guint8 *packet, gsize len)
{
    gsize header = ipv4_header_size(packet);

    if (packet[IPV4_PROTOCOL] != IPPROTO_ICMP)
        return FALSE;
    if (len <= header)
        return TRUE;
    switch (packet[header]) {
    case ICMP_ECHO:
    case ICMP_ECHOREPLY:
    case ICMP_TIMESTAMP:
    case ICMP_TIMESTAMPREPLY:
        return FALSE;
    default:
        return TRUE;
    }
}

static gboolean may_answer4(const guint8 *packet, gsize len)
{
    const guint8 *source = packet + IPV4_SOURCE, *destination = packet + IPV4_DESTINATION;

    /* 0.0.0.0/8, 127.0.0.0/8, multicast, reserved and broadcast: 224.0.0.0 and up */
    if (source[0] == 0 || source[0] == 127 || source[0] >= 224 || destination[0] >= 224)
        return FALSE;
    return !is_later_fragment(packet) && !is_icmp4_error(packet, len);
}

static gsize unreachable4(const guint8 *packet, gsize len, guint8 *out)
{
    gsize quote = MIN(len, ICMP4_QUOTE_MAX);
    gsize size = IPV4_HEADER_SIZE + ICMP_HEADER_SIZE + quote;
    guint8 *icmp = out + IPV4_HEADER_SIZE;

    memset(out, 0, IPV4_HEADER_SIZE + ICMP_HEADER_SIZE);
    out[0] = 0x45;
    culvert_put16(out + IPV4_LENGTH, (guint16) size);
    out[IPV4_TTL] = REPLY_TTL;
    out[IPV4_PROTOCOL] = IPPROTO_ICMP;
    memcpy(out + IPV4_SOURCE, packet + IPV4_DESTINATION, IPV4_ADDRESS);
    memcpy(out + IPV4_DESTINATION, packet + IPV4_SOURCE, IPV4_ADDRESS);
    culvert_checksum_put(out + IPV4_CHECKSUM, culvert_checksum_add(0, out, IPV4_HEADER_SIZE));
    icmp[0] = ICMP_DEST_UNREACH;
    icmp[1] = ICMP_HOST_UNREACH;
    memcpy(icmp + ICMP_HEADER_SIZE, packet, quote);
    culvert_checksum_put(icmp + 2, culvert_checksum_add(0, icmp, ICMP_HEADER_SIZE + quote));
    return size;
}

/* :: and ::1 */
static gboolean is_nobody6(const guint8 *address)
{
    static const guint8 unspecified[16];

    return memcmp(address, unspecified, 15) == 0 && address[15] <= 1;
}

static gboolean may_answer6(const guint8 *packet, gsize len)
{
    const guint8 *source = packet + IPV6_SOURCE, *destination = packet + IPV6_DESTINATION;

    if (is_nobody6(source) || source[0] == 0xff || destination[0] == 0xff)
        return FALSE;
    if (packet[IPV6_NEXT] == IPPROTO_FRAGMENT)
        return is_first_fragment6(packet, len) &&
               packet[IPV6_HEADER_SIZE + IPV6_FRAGMENT_NEXT] != IPPROTO_ICMPV6;
    /* ICMPv6 errors are the types below 128 (RFC 4443, 2.1). */
    return packet[IPV6_NEXT] != IPPROTO_ICMPV6 ||
           (len > IPV6_HEADER_SIZE && packet[IPV6_HEADER_SIZE] >= 128);
}

static gsize unreachable6(const guint8 *packet, gsize len, guint8 *out)
{
    gsize quote = MIN(len, ICMP6_QUOTE_MAX);
    gsize payload = ICMP_HEADER_SIZE + quote;
    guint8 *icmp = out + IPV6_HEADER_SIZE;
    guint64 sum;

    memset(out, 0, IPV6_HEADER_SIZE + ICMP_HEADER_SIZE);
    out[0] = 0x60;
    culvert_put16(out + IPV6_LENGTH, (guint16) payload);
    out[IPV6_NEXT] = IPPROTO_ICMPV6;
    out[IPV6_HOP_LIMIT] = REPLY_TTL;
    memcpy(out + IPV6_SOURCE, packet + IPV6_DESTINATION, IPV6_ADDRESS);
    memcpy(out + IPV6_DESTINATION, packet + IPV6_SOURCE, IPV6_ADDRESS);
    icmp[0] = ICMP6_DST_UNREACH;
    icmp[1] = ICMP6_DST_UNREACH_ADDR;
    memcpy(icmp + ICMP_HEADER_SIZE, packet, quote);
    sum = culvert_checksum_pseudo(out, IPPROTO_ICMPV6, (guint16) payload);
    culvert_checksum_put(icmp + 2, culvert_checksum_add(sum, icmp, payload));
    return IPV6_HEADER_SIZE + payload;
}

gsize culvert_packet_unreachable(const guint8 *packet, gsize len, guint8 *out)
{
    if (version(packet) == 4)
        return may_answer4(packet, len) ? unreachable4(packet, len, out) : 0;
    return may_answer6(packet, len) ? unreachable6(packet, len, out) : 0;
}
