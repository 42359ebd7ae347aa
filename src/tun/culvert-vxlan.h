/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-vxlan.h: Ethernet frames in UDP in IP and back (VXLAN, RFC 7348), in place, as the
 * kernel's own vxlan devices send and take them. Pure functions on bytes, which may lie; any
 * thread.
 */
#pragma once

#include <glib.h>

#include "culvert-ethernet.h"

G_BEGIN_DECLS

/* One end of a VXLAN ("VTEP"): its IP address. */
typedef struct {
    int family;         /* AF_INET: 4 bytes are used; AF_INET6: 16; AF_UNSPEC: there is none */
    guint8 address[16]; /* in network byte order, the rest 0 */
} CulvertVtep;

gboolean culvert_vtep_equal(const CulvertVtep *a, const CulvertVtep *b);

/* IANA's (RFC 7348, 5). */
#define CULVERT_VXLAN_PORT 4789

/* The network identifier ("VNI") has 24 bits. */
#define CULVERT_VXLAN_ID_MAX 0xffffff

/* In front of a frame: IP, UDP and VXLAN. */
#define CULVERT_VXLAN_HEADER_IPV4 (20 + 8 + 8)
#define CULVERT_VXLAN_HEADER_IPV6 (40 + 8 + 8)
#define CULVERT_VXLAN_HEADER_MAX  CULVERT_VXLAN_HEADER_IPV6

/* By how much the MTU inside is less than that of what carries the VXLAN: with the Ethernet header,
 * which counts there and not here. */
#define CULVERT_VXLAN_OVERHEAD_IPV4 (CULVERT_VXLAN_HEADER_IPV4 + ETHERNET_HEADER_SIZE)
#define CULVERT_VXLAN_OVERHEAD_IPV6 (CULVERT_VXLAN_HEADER_IPV6 + ETHERNET_HEADER_SIZE)

/* The headers of a flow's packets. `header` is that of a packet with nothing in it: it can be
 * looked at as an IP packet of `size` bytes. The rest is private. */
typedef struct {
    guint8 header[CULVERT_VXLAN_HEADER_MAX];
    gsize size;
    guint64 sum; /* of what has a checksum, but for lengths and ID */
    guint16 id;  /* IPv4: of the next packet */
} CulvertVxlan;

/* culvert_vxlan_begin: prepares the headers for frames from `local` to `remote`, of one family,
 * that have the addresses, types, ports and ECN bits of `frame`, of `len` bytes, at least
 * ETHERNET_HEADER_SIZE. `id`: IPv4's identification of the first one; each takes the next. The
 * source port is a hash of the flow, so that whoever shares out flows by it keeps each in order
 * (RFC 7348, 5); the ECN bits are copied (RFC 6040, 4.1). */
void culvert_vxlan_begin(CulvertVxlan *v, guint32 vni, const CulvertVtep *local,
                         const CulvertVtep *remote, guint8 *frame, gsize len, guint16 id);

/* culvert_vxlan_wrap: writes the headers in front of the frame of `len` bytes, at most 65535 less
 * CULVERT_VXLAN_HEADER_MAX. Returns how many bytes that are: the packet begins so far before it. */
gsize culvert_vxlan_wrap(CulvertVxlan *v, guint8 *frame, gsize len);

/* culvert_vxlan_unwrap: finds the frame in an IP packet of `len` bytes, which is whole but may lie
 * about all else. Sets `source`, and *frame to a place in the packet. FALSE: it is no VXLAN packet
 * of network `vni` to `local`, is a fragment, or has a wrong checksum; IPv6 has to have one
 * (RFC 8200, 8.1), IPv4 may do without. Reserved bits are ignored (RFC 7348, 5). A mark of
 * congestion (CE) goes over to the packet in the frame; a frame whose packet does not know such
 * marks is dropped for it, as that is how its sender hears of congestion (RFC 6040, 4.2). */
gboolean culvert_vxlan_unwrap(guint32 vni, const CulvertVtep *local, guint8 *packet, gsize len,
                              CulvertVtep *source, guint8 **frame, gsize *frame_len);

G_END_DECLS
