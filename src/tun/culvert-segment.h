/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-segment.h: takes apart what a TUN or TAP device with IFF_VNET_HDR hands over: one packet
 * that stands for many of a TCP or UDP flow ("generic segmentation offload", GSO), or one whose
 * checksum is still to be computed. Pure functions on bytes, which may lie; they allocate nothing.
 * A segmenter belongs to one thread at a time.
 *
 * The rules are those of the kernel's own segmentation (net/ipv4/af_inet.c, tcp_offload.c,
 * udp_offload.c, net/ipv6/ip6_offload.c of Linux).
 */
#pragma once

#include <glib.h>

#include "culvert-ethernet.h"
#include "culvert-vnet.h"

G_BEGIN_DECLS

/* The longest IP, IPv6 extension and TCP headers together that are segmented: IPv6 (40), TCP (60)
 * and 156 bytes of extension headers. Linux sends few of those, and none this long, with GSO. */
#define CULVERT_SEGMENT_HEADER_MAX 256

/* Private, but for its size. Places count from the frame's start, or the packet's. */
typedef struct {
    guint8 *packet;    /* where the next segment's header will be */
    gsize rest;        /* payload not yet handed out; of a packet that is not GSO: its length */
    guint64 ip_sum;    /* of the IPv4 header without what differs between segments */
    guint64 l4_sum;    /* of the pseudo header and the TCP or UDP header without the same */
    guint32 sequence;  /* TCP: of the next segment */
    guint16 id;        /* IPv4: of the next segment */
    guint16 size;      /* of the payload of each segment but the last; 0: not GSO */
    guint16 link;      /* bytes before the IP header; 0: not a frame */
    guint16 header;    /* bytes of all headers */
    guint16 transport; /* where the TCP or UDP header is */
    guint16 count;
    guint8 flags; /* TCP: of the packet */
    gboolean is_ipv4;
    gboolean is_tcp;
    guint8 template[ETHERNET_LINK_SIZE_MAX + CULVERT_SEGMENT_HEADER_MAX];
} CulvertSegmenter;

/* culvert_segmenter_begin: starts on the `len` bytes at `packet` that the device put after `vnet`
 * (a struct virtio_net_hdr in host byte order; Documentation/networking/tuntap.rst). Both must
 * stay as they are until the last segment has been taken, and memory is written to. FALSE: drop
 * the packet: the header asks for what was not agreed on, or does not fit the packet.
 *
 * What vnet->hdr_len says is ignored, as it is wrong for forwarded packets; so are the packet's
 * own lengths where each segment gets its own. */
gboolean culvert_segmenter_begin(CulvertSegmenter *s, const struct virtio_net_hdr *vnet,
                                 guint8 *packet, gsize len);

/* culvert_segmenter_begin_frame: the same for an Ethernet frame that a TAP device put there: the
 * offsets of `vnet` count from the frame's start, and each segment is a frame with that one's
 * Ethernet header and VLAN tags, of which there may be two. What is not GSO is passed as it is,
 * whatever the frame carries; FALSE also for less than an Ethernet header. */
gboolean culvert_segmenter_begin_frame(CulvertSegmenter *s, const struct virtio_net_hdr *vnet,
                                       guint8 *frame, gsize len);

/* culvert_segmenter_count: how many packets are still to be taken: after begin() all of them, 1 if
 * the packet is not GSO. */
guint culvert_segmenter_count(const CulvertSegmenter *s);

/* culvert_segmenter_next: the next IP packet, or frame, whole, with all lengths and checksums;
 * returns its length, 0 if there is none. It lies in the memory given to begin(), its payload where
 * it was and its header before that, over the end of the segment before: that one is gone. What
 * lies behind it is payload to come, or, behind the last, not touched; the caller may overwrite it
 * (a tag, say) if it puts it back before the next call. */
gsize culvert_segmenter_next(CulvertSegmenter *s, guint8 **segment);

G_END_DECLS
