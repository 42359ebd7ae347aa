/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-ethernet.h: where the fields of an Ethernet frame (IEEE 802.3, without preamble and FCS)
 * and of VLAN tags (IEEE 802.1Q, 9.3 to 9.6) are, and the IP packet in it. Pure functions on
 * bytes; any thread.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

#define ETHERNET_DESTINATION   0
#define ETHERNET_SOURCE        6
#define ETHERNET_ADDRESS_SIZE  6
#define ETHERNET_TYPE          12 /* without tags */
#define ETHERNET_HEADER_SIZE   14
#define ETHERNET_VLAN_TAG_SIZE 4
#define ETHERNET_VLAN_TAGS_MAX 2 /* of those we look behind: "Q-in-Q", IEEE 802.1ad */
#define ETHERNET_LINK_SIZE_MAX                                                                     \
    (ETHERNET_HEADER_SIZE + ETHERNET_VLAN_TAGS_MAX * ETHERNET_VLAN_TAG_SIZE)

/* EtherTypes (IANA, IEEE 802 numbers). */
#define ETHERNET_TYPE_IPV4 0x0800
#define ETHERNET_TYPE_IPV6 0x86dd
#define ETHERNET_TYPE_CTAG 0x8100 /* IEEE 802.1Q */
#define ETHERNET_TYPE_STAG 0x88a8 /* IEEE 802.1ad */

/* culvert_ethernet_find_ip: how many bytes are before the IPv4 or IPv6 packet in the `len` bytes of
 * `frame`: the Ethernet header and up to two VLAN tags. At least the byte with the version is
 * there, and it is that of the EtherType; nothing else is checked. 0: no such packet. */
gsize culvert_ethernet_find_ip(const guint8 *frame, gsize len);

/* culvert_ethernet_find_vlan: the VLAN, 1 to 4095, that the first tag of `frame` names, which has
 * `len` bytes, at least ETHERNET_HEADER_SIZE. 0: no tag, only one with a priority (IEEE 802.1Q,
 * 9.6), or not all of it is there. */
guint16 culvert_ethernet_find_vlan(const guint8 *frame, gsize len);

G_END_DECLS
