/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-ip.h: where the fields of IPv4 (RFC 791), IPv6 (RFC 8200), TCP (RFC 9293) and UDP
 * (RFC 768) are, and numbers in network byte order at any alignment. For use in src/tun/ only.
 */
#pragma once

#include <glib.h>
#include <string.h>

#define IPV4_HEADER_SIZE 20 /* without options */
#define IPV4_TOS         1
#define IPV4_LENGTH      2
#define IPV4_ID          4
#define IPV4_FRAGMENT    6
#define IPV4_TTL         8
#define IPV4_PROTOCOL    9
#define IPV4_CHECKSUM    10
#define IPV4_ADDRESSES   12
#define IPV4_SOURCE      12
#define IPV4_DESTINATION 16
#define IPV4_ADDRESS     4 /* bytes */

#define IPV4_DONT_FRAGMENT 0x4000
/* "More fragments" and the offset. */
#define IPV4_IS_FRAGMENT 0x3fff
/* In units of 8 bytes. */
#define IPV4_FRAGMENT_OFFSET 0x1fff

#define IPV6_HEADER_SIZE 40
#define IPV6_LENGTH      4
#define IPV6_NEXT        6
#define IPV6_HOP_LIMIT   7
#define IPV6_ADDRESSES   8
#define IPV6_SOURCE      8
#define IPV6_DESTINATION 24
#define IPV6_ADDRESS     16 /* bytes */

/* The fragment header, behind that of IPv6 (RFC 8200, 4.5). */
#define IPV6_FRAGMENT_HEADER_SIZE 8
#define IPV6_FRAGMENT_NEXT        0
#define IPV6_FRAGMENT_FIELD       2
/* In bytes; the bits below it are flags. */
#define IPV6_FRAGMENT_OFFSET 0xfff8

#define TCP_HEADER_SIZE     20 /* without options */
#define TCP_SEQUENCE        4
#define TCP_ACKNOWLEDGEMENT 8
#define TCP_OFFSET          12
#define TCP_FLAGS           13
#define TCP_WINDOW          14
#define TCP_CHECKSUM        16
#define TCP_URGENT          18

#define TCP_FIN 0x01
#define TCP_PSH 0x08
#define TCP_ACK 0x10
#define TCP_CWR 0x80 /* RFC 3168, 6.1 */

#define UDP_HEADER_SIZE      8
#define UDP_DESTINATION_PORT 2
#define UDP_LENGTH           4
#define UDP_CHECKSUM         6

static inline guint16 culvert_get16(const guint8 *p)
{
    guint16 value;

    memcpy(&value, p, sizeof value);
    return GUINT16_FROM_BE(value);
}

static inline guint32 culvert_get32(const guint8 *p)
{
    guint32 value;

    memcpy(&value, p, sizeof value);
    return GUINT32_FROM_BE(value);
}

static inline void culvert_put16(guint8 *p, guint16 value)
{
    value = GUINT16_TO_BE(value);
    memcpy(p, &value, sizeof value);
}

static inline void culvert_put32(guint8 *p, guint32 value)
{
    value = GUINT32_TO_BE(value);
    memcpy(p, &value, sizeof value);
}
