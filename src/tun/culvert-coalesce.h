/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-coalesce.h: puts packets of one TCP or UDP flow together into what a TUN or TAP device
 * with IFF_VNET_HDR takes in one write, which spares the kernel most of the work for each ("generic
 * receive offload", GRO). Pure functions on bytes, which may lie; they allocate nothing. A
 * coalescer belongs to one thread at a time.
 *
 * The rules are those of the kernel's own GRO (net/ipv4/af_inet.c, tcp_offload.c, udp_offload.c,
 * include/net/gro.h of Linux): packets are put together only if taking them apart again gives the
 * same packets. One thing does not survive: IPv4 packets with "do not fragment" that all have the
 * same ID get ascending ones if they are taken apart, as the ID then has no meaning (RFC
 * 6864, 4.1).
 *
 * TCP and UDP checksums are not verified. The packets come out of a tunnel that has authenticated
 * them, and the kernel's WireGuard does not verify them either (CHECKSUM_UNNECESSARY in its
 * receive.c). The price: a packet that was damaged before it entered the tunnel and is put together
 * with others counts as right from here on, and if it is forwarded, it leaves with a new checksum
 * that is right. A packet written by itself keeps its checksum, and the kernel verifies it.
 */
#pragma once

#include <glib.h>
#include <sys/uio.h>

#include "culvert-vnet.h"

G_BEGIN_DECLS

/* How many packets at most become one: what the kernel takes of UDP in every version that has it
 * (UDP_MAX_SEGMENTS of its include/linux/udp.h); of TCP it is enough for 64 KiB of full packets. */
#define CULVERT_COALESCE_PACKETS_MAX 64

/* How many flows can be open; with more, the one open for longest is written. The kernel's GRO has
 * lists of eight (MAX_GRO_SKBS of its net/core/gro.c). */
#define CULVERT_COALESCE_FLOWS 8

/* What one write (writev) gives to the device: iov[0] is `vnet`, iov[1] the first packet, or all
 * headers and the first one's payload, each further one the payload of the next. */
typedef struct {
    struct virtio_net_hdr vnet; /* in host byte order */
    struct iovec iov[1 + CULVERT_COALESCE_PACKETS_MAX];
    guint n_iov;
    guint packets; /* how many were put together; 1: unchanged, and vnet is all zero */
} CulvertWrite;

/* CulvertWriteFunc: called with what is ready. `write` is valid until it returns; what iov points
 * to is in the memory given to add(), and may be changed. May not call add() or flush(). */
typedef void (*CulvertWriteFunc)(const CulvertWrite *write, gpointer user_data);

typedef enum {
    CULVERT_COALESCE_NOTHING = 0, /* each packet is written as it comes */
    CULVERT_COALESCE_TCP = 1 << 0,
    CULVERT_COALESCE_UDP = 1 << 1, /* the kernel has to know VIRTIO_NET_HDR_GSO_UDP_L4 */
} CulvertCoalesceKinds;

/* Private: packets of a flow that are one so far; the first's headers are those of all. */
typedef struct {
    CulvertWrite write;
    guint8 *packet;    /* its IP header */
    gsize len;         /* of the packet that it will be */
    guint32 sequence;  /* TCP: of the packet that may come next */
    guint16 id;        /* IPv4: of the first packet */
    guint16 size;      /* of the payload of each packet but the last */
    guint16 link;      /* bytes before the IP header; 0: not a frame */
    guint16 transport; /* where the TCP or UDP header is, from the IP header */
    guint16 header;    /* bytes of all headers from that of IP on */
    gboolean is_tcp;
    gboolean has_fixed_id;
} CulvertCoalesceItem;

/* Private, but for its size. */
typedef struct {
    CulvertWriteFunc write;
    gpointer user_data;
    CulvertCoalesceKinds kinds;
    guint n_open;
    guint32
        hashes[CULVERT_COALESCE_FLOWS]; /* of the open items, in the order of their first packets */
    guint8 open[CULVERT_COALESCE_FLOWS];   /* which of the items those are */
    guint8 unused[CULVERT_COALESCE_FLOWS]; /* and the others */
    CulvertWrite alone;
    CulvertCoalesceItem items[CULVERT_COALESCE_FLOWS];
} CulvertCoalescer;

/* culvert_coalescer_init: nothing is open. `write` gets all that is ready, with `user_data`. The
 * coalescer may not be moved or copied while something is open. */
void culvert_coalescer_init(CulvertCoalescer *c, CulvertCoalesceKinds kinds, CulvertWriteFunc write,
                            gpointer user_data);

/* culvert_coalescer_set_kinds: what to put together of what is added from now on. May also be
 * called by the CulvertWriteFunc. */
void culvert_coalescer_set_kinds(CulvertCoalescer *c, CulvertCoalesceKinds kinds);

/* culvert_coalescer_add: adds `len` bytes, an IP packet without padding, whose memory must stay,
 * and not be touched, until flush() returns. Packets of a flow (addresses, protocol and ports) are
 * written in the order in which they were added; those between the same addresses that are not TCP
 * or UDP, or fragments, or have IP options, likewise in order with all others between these. What
 * is no such packet is written at once as it is. */
void culvert_coalescer_add(CulvertCoalescer *c, guint8 *packet, gsize len);

/* culvert_coalescer_add_frame: the same for an Ethernet frame, with VLAN tags or without. Those of
 * a flow also have the same Ethernet header and tags. One longer than the IP packet in it (padding:
 * IEEE 802.3, 4A.2.4) is written by itself, as it is, but in order; so is any that is no whole
 * Ethernet header or carries no IP, at once. */
void culvert_coalescer_add_frame(CulvertCoalescer *c, guint8 *frame, gsize len);

/* culvert_coalescer_flush: writes all that is open, in the order of the first packets. */
void culvert_coalescer_flush(CulvertCoalescer *c);

G_END_DECLS
