/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-packet.h: what a tunnel has to know of, and do to, the IP packets it carries. Pure
 * functions on bytes; any thread. `packet` is a whole IPv4 or IPv6 packet of `len` bytes, which
 * may lie about anything but is at least an IP header long.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* culvert_packet_in_frame: the packet in an Ethernet frame of `len` bytes, behind any VLAN tags;
 * *packet_len is what is left of the frame from there, which may be more than the packet: padding.
 * NULL: there is none. */
guint8 *culvert_packet_in_frame(guint8 *frame, gsize len, gsize *packet_len);

/* The two ECN bits of the DS field (RFC 3168, section 5). */
#define CULVERT_ECN_MASK 3
#define CULVERT_ECN_CE   3

/* culvert_packet_ecn: the packet's ECN bits. */
guint8 culvert_packet_ecn(const guint8 *packet);

/* culvert_packet_outer_ecn: the ECN bits for the datagram that carries the packet: the packet's
 * own, except that a mark (CE) it already has stays inside, and its way starts with ECT(0)
 * (RFC 3168, 9.1.1, full functionality, as the kernel's INET_ECN_encapsulate). */
guint8 culvert_packet_outer_ecn(const guint8 *packet);

/* culvert_packet_mark_ce: the datagram that carried the packet was marked on its way: so is the
 * packet, if its sender can deal with marks; corrects the IPv4 header's checksum. */
void culvert_packet_mark_ce(guint8 *packet);

/* culvert_packet_is_udp_to: whether the packet is a UDP datagram, or the first fragment of one,
 * from port `source_port` to this address (4 or 16 bytes, by the packet's IP version) and port.
 * Ports in host byte order. */
gboolean culvert_packet_is_udp_to(const guint8 *packet, gsize len, guint16 source_port, int family,
                                  const guint8 *address, guint16 port);

/* What a datagram that carries a packet says of its own way. */
typedef enum {
    CULVERT_HOPS_DEFAULT, /* the system's default hop limit */
    CULVERT_HOPS_LIMITED, /* fewer: see `hop_limit` */
    CULVERT_HOPS_USED_UP, /* a tunnel in a tunnel in a tunnel ...: a loop; to be dropped */
} CulvertHops;

/* culvert_packet_outer_hops: a packet that looks like a WireGuard message is a tunnel's in this
 * tunnel, perhaps, by other tunnels, its own: then it would come back longer each time, and in
 * pieces, ever more of them. So what carries it gets CULVERT_NESTING_COST less than its own hop
 * limit (IPv4's TTL): after a handful of tunnels it is used up, as RFC 2473 (4.1.1, tunnel
 * encapsulation limit) has it for other tunnels. Pieces of such packets (later fragments of UDP)
 * cannot be told from others and are treated alike, but not dropped. */
#define CULVERT_NESTING_COST 8
CulvertHops culvert_packet_outer_hops(const guint8 *packet, gsize len, guint8 *hop_limit);

/* The largest answer of culvert_packet_unreachable(): IPv6's minimum MTU (RFC 4443, 2.4 c). */
#define CULVERT_UNREACHABLE_MAX 1280

/* culvert_packet_unreachable: writes the ICMP message that says "host unreachable" to the packet's
 * sender (RFC 792; RFC 4443, section 3.1, address unreachable), as if from the packet's
 * destination, to `out`, which holds CULVERT_UNREACHABLE_MAX bytes. Returns its size; 0 if the
 * packet must not be answered (RFC 1122, 3.2.2; RFC 4443, 2.4 e): ICMP errors, multicast,
 * broadcast, further fragments, no single sender. */
gsize culvert_packet_unreachable(const guint8 *packet, gsize len, guint8 *out);

G_END_DECLS
