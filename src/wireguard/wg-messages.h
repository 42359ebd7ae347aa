/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-messages.h: the four messages as they lie in a datagram (paper 5.4.2 to 5.4.7). Integers are
 * little endian. Copy between datagram and struct: a datagram need not be aligned.
 */
#pragma once

#include "wg-constants.h"

typedef struct {
    guint8 type;
    guint8 reserved[3];
    guint32 sender;
    guint8 ephemeral[WG_KEY_SIZE];
    guint8 sealed_static[WG_KEY_SIZE + WG_TAG_SIZE];
    guint8 sealed_timestamp[WG_TIMESTAMP_SIZE + WG_TAG_SIZE];
    guint8 mac1[WG_MAC_SIZE];
    guint8 mac2[WG_MAC_SIZE];
} WgInitiation;

typedef struct {
    guint8 type;
    guint8 reserved[3];
    guint32 sender;
    guint32 receiver;
    guint8 ephemeral[WG_KEY_SIZE];
    guint8 sealed_nothing[WG_TAG_SIZE];
    guint8 mac1[WG_MAC_SIZE];
    guint8 mac2[WG_MAC_SIZE];
} WgResponse;

typedef struct {
    guint8 type;
    guint8 reserved[3];
    guint32 receiver;
    guint8 nonce[WG_XNONCE_SIZE];
    guint8 cookie[WG_COOKIE_SIZE + WG_TAG_SIZE];
} WgCookieReply;

typedef struct {
    guint8 type;
    guint8 reserved[3];
    guint32 receiver;
    guint64 counter;
} WgDataHeader;

G_STATIC_ASSERT(sizeof(WgInitiation) == WG_INITIATION_SIZE);
G_STATIC_ASSERT(sizeof(WgResponse) == WG_RESPONSE_SIZE);
G_STATIC_ASSERT(sizeof(WgCookieReply) == WG_COOKIE_REPLY_SIZE);
G_STATIC_ASSERT(sizeof(WgDataHeader) == WG_DATA_HEADER_SIZE);
