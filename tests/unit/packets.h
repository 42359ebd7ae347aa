/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * packets.h: TCP and UDP packets for tests, also in Ethernet frames, made field by field from a
 * description, and with a checksum that goes byte by byte. Shares no code with what is tested.
 */
#pragma once

#include <glib.h>

#include "tun/culvert-vnet.h"

typedef struct {
    guint version; /* 4 or 6 */
    guint8 protocol;
    guint8 tos;
    guint8 ttl;
    guint16 id;                 /* IPv4 */
    guint16 fragment;           /* IPv4: flags and offset, as they stand in the packet */
    guint32 label;              /* IPv6: flow label */
    guint8 source, destination; /* the last bytes of the addresses */
    guint16 source_port, destination_port;
    guint32 sequence, acknowledgement;
    guint8 flags;
    guint8 reserved; /* the four bits beside TCP's header length */
    guint16 window, urgent;
    const guint8 *ip_extra; /* IPv4 options, or IPv6 extension headers with a valid last one */
    gsize n_ip_extra;
    guint8 first_extra;        /* IPv6: the kind of the first extension header */
    const guint8 *tcp_options; /* a multiple of four */
    gsize n_tcp_options;
    gboolean no_checksum; /* UDP */
    const guint8 *payload;
    gsize size;

    gboolean is_frame;            /* Ethernet; what follows counts only then */
    guint8 station, next_station; /* the last bytes of the MAC addresses: source and destination */
    guint8 n_tags;                /* 802.1Q; all but the last are of 802.1ad */
    guint16 tags[3];              /* priority and VLAN, the outermost first */
    guint8 padding;               /* bytes behind the packet */
} Description;

/* packets_checksum: RFC 1071, as a number. */
guint16 packets_checksum(const guint8 *data, gsize len);

/* packets_build: the packet, or frame; all lengths and checksums right. The caller owns it. Memory
 * of exactly its size, so that a tool sees what goes beyond. */
GBytes *packets_build(const Description *d);

/* packets_headers: bytes before the payload; packets_transport: before the TCP or UDP header;
 * packets_link: before the IP header, 0 if it is no frame. */
gsize packets_headers(const Description *d);
gsize packets_transport(const Description *d);
gsize packets_link(const Description *d);

/* packets_pseudo: the sum of the pseudo header, folded, not complemented: what stands in the
 * checksum field of a packet whose checksum is still to be computed. */
guint16 packets_pseudo(const Description *d);

/* packets_tcp4, packets_udp4: an example with this many bytes of payload, whose IPv4 ID and TCP
 * sequence number are about to wrap; packets_as6: the same of IPv6; packets_as_frame: the same in
 * Ethernet, with so many VLAN tags, 0 to 3. */
Description packets_tcp4(gsize size);
Description packets_udp4(gsize size);
Description packets_as6(Description d);
Description packets_as_frame(Description d, guint8 n_tags);

/* packets_gso_header, packets_without_checksum: how the kernel, with segmentation offload, hands
 * over or takes the packet as one that stands for many with this size of payload: the header, and
 * the packet with nothing but the sum of the pseudo header where the checksum will be. The latter
 * is the caller's, g_free(). */
struct virtio_net_hdr packets_gso_header(const Description *d, guint16 gso_size);
guint8 *packets_without_checksum(const Description *d, gsize *len);

/* packets_pick: a number below the limit. */
guint packets_pick(GRand *rand, guint limit);

/* packets_assert_equal: that both are the same bytes; says where they differ. */
void packets_assert_equal(GBytes *a, GBytes *b);
