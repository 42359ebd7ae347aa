/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-ethernet.c: the way through a frame's tags to the IP packet in it.
 */
#include "culvert-ethernet.h"

#include "culvert-ip.h"

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
