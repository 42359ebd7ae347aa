/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * tunnel-blackhole.c: full-size TCP segments that are sent again and again: a path that swallows
 * large datagrams, and no router says so.
 *
 * Small packets pass there, so that neither handshakes nor keepalives tell. What a peer could be
 * asked to answer at a chosen size does not exist in WireGuard. But whoever sends a stream notices
 * at once, and repeats its first unacknowledged segment, later each time: we see that.
 */
#include "tunnel-private.h"

#include <string.h>

#include "tun/culvert-hash.h"

/* As often as this beyond the first time that is noticed: with Linux's timers one to two seconds.
 * Segments that are only lost are repeated less often. */
#define REPEATS 2

/* Offsets and values of RFC 791, 8200 and 9293. */
#define IPV4_HEADER_LEAST 20
#define IPV4_PROTOCOL     9
#define IPV4_FRAGMENT     6
#define IPV4_ADDRESSES    12
#define IPV6_HEADER       40
#define IPV6_NEXT_HEADER  6
#define IPV6_ADDRESSES    8
#define TCP_LEAST         20
#define TCP_PORTS_SIZE    4
#define TCP_SEQUENCE      4

/* The TCP header, and a hash of the addresses; NULL: it is none, or not all of it is there.
 * Strangers do not choose these flows, and a collision costs a repetition. */
static const guint8 *find_tcp(const guint8 *packet, gsize len, guint32 *flow)
{
    gsize header;

    if (len < IPV6_HEADER + TCP_LEAST)
        return NULL;
    if (packet[0] >> 4 == 6) {
        *flow = culvert_hash(1, packet + IPV6_ADDRESSES, 32);
        return packet[IPV6_NEXT_HEADER] == IPPROTO_TCP ? packet + IPV6_HEADER : NULL;
    }
    header = (packet[0] & 0xf) * 4u;
    if (packet[0] >> 4 != 4 || header < IPV4_HEADER_LEAST || len < header + TCP_LEAST ||
        packet[IPV4_PROTOCOL] != IPPROTO_TCP || (packet[IPV4_FRAGMENT] & 0x1f) != 0 ||
        packet[IPV4_FRAGMENT + 1] != 0)
        return NULL;
    *flow = culvert_hash(1, packet + IPV4_ADDRESSES, 8);
    return packet + header;
}

/* Where a flow is remembered. If it is not yet, a flow that goes on makes room before one that does
 * not; which of several, its number says. */
static TunnelBlackholeFlow *find_flow(TunnelBlackhole *self, guint32 flow)
{
    TunnelBlackholeFlow *set = self->flows[flow % TUNNEL_BLACKHOLE_SETS];
    guint way = flow / TUNNEL_BLACKHOLE_SETS;

    for (guint i = 0; i < TUNNEL_BLACKHOLE_WAYS; i++) {
        if (set[i].flow == flow)
            return &set[i];
    }
    for (guint i = 0; i < TUNNEL_BLACKHOLE_WAYS; i++) {
        TunnelBlackholeFlow *candidate = &set[(way + i) % TUNNEL_BLACKHOLE_WAYS];

        if (candidate->repeats == 0)
            return candidate;
    }
    return &set[way % TUNNEL_BLACKHOLE_WAYS];
}

const TunnelBlackholeFlow *tunnel_blackhole_note(TunnelBlackhole *self, const guint8 *packet,
                                                 gsize len, gsize more)
{
    TunnelBlackholeFlow *known;
    const guint8 *tcp;
    guint32 flow, sequence;

    if (len + more <= TUNNEL_BLACKHOLE_PASSES)
        return NULL;
    tcp = find_tcp(packet, len, &flow);
    if (!tcp)
        return NULL;
    flow = culvert_hash(flow, tcp, TCP_PORTS_SIZE);
    memcpy(&sequence, tcp + TCP_SEQUENCE, sizeof sequence);
    known = find_flow(self, flow);
    if (known->flow != flow || known->sequence != sequence) {
        *known = (TunnelBlackholeFlow){flow, sequence, 0};
        return NULL;
    }
    return ++known->repeats >= REPEATS ? known : NULL;
}
