/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-ethernet.c: a frame's tags, and the way through them to the IP packet in it.
 */
#include "culvert-ethernet.h"

#include "culvert-ip.h"

/* Of a tag: three bits of priority and one of eligibility to be dropped are before it. */
#define VLAN_MASK 0x0fff

static gboolean is_tag(guint16 type)
{
    return type == ETHERNET_TYPE_CTAG || type == ETHERNET_TYPE_STAG;
}

gsize culvert_ethernet_find_ip(const guint8 *frame, gsize len)
{
    gsize ip = ETHERNET_HEADER_SIZE;
    guint16 type;

    if (len <= ip)
        return 0;
    type = culvert_get16(frame + ETHERNET_TYPE);
    while (is_tag(type) && ip < ETHERNET_LINK_SIZE_MAX) {
        ip += ETHERNET_VLAN_TAG_SIZE;
        if (len <= ip)
            return 0;
        /* The type that the tag stands before is the last thing in it. */
        type = culvert_get16(frame + ip - 2);
    }
    if (type == ETHERNET_TYPE_IPV4)
        return frame[ip] >> 4 == 4 ? ip : 0;
    if (type == ETHERNET_TYPE_IPV6)
        return frame[ip] >> 4 == 6 ? ip : 0;
    return 0;
}

guint16 culvert_ethernet_find_vlan(const guint8 *frame, gsize len)
{
    if (!is_tag(culvert_get16(frame + ETHERNET_TYPE)) ||
        len < ETHERNET_HEADER_SIZE + ETHERNET_VLAN_TAG_SIZE)
        return 0;
    return culvert_get16(frame + ETHERNET_HEADER_SIZE) & VLAN_MASK;
}
