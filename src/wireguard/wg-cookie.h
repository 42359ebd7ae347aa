/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-cookie.h: the two MACs at the end of a handshake message, and cookie replies (paper 5.3,
 * 5.4.4, 5.4.7). The checker is the receiving side, one per identity; the maker is the sending
 * side, one per peer.
 *
 * [control]: not locked.
 */
#pragma once

#include "wireguard.h"

G_BEGIN_DECLS

typedef struct {
    guint8 mac1_key[WG_HASH_SIZE];
    guint8 cookie_key[WG_HASH_SIZE];
    guint8 secret[WG_HASH_SIZE];
    gint64 secret_born; /* G_MININT64: none yet */
} WgCookieChecker;

typedef struct {
    guint8 mac1_key[WG_HASH_SIZE];
    guint8 cookie_key[WG_HASH_SIZE];
    guint8 cookie[WG_COOKIE_SIZE];
    gint64 cookie_born; /* G_MININT64: none */
    guint8 last_mac1[WG_MAC_SIZE];
    gboolean mac1_outstanding; /* a message was sent since the last cookie came */
} WgCookieMaker;

typedef enum {
    WG_MAC_INVALID,     /* mac1 is wrong */
    WG_MAC_VALID,       /* mac1 is right, mac2 is not */
    WG_MAC_WITH_COOKIE, /* both are right */
} WgMacState;

/* The keys depend on the receiver's public key only. */
void wg_cookie_checker_init(WgCookieChecker *checker, const WgKey *own_public);
void wg_cookie_checker_clear(WgCookieChecker *checker);
void wg_cookie_maker_init(WgCookieMaker *maker, const WgKey *peer_public);
void wg_cookie_maker_clear(WgCookieMaker *maker);

/* wg_cookie_check: the state of the MACs that end `message` (initiation or response). */
WgMacState wg_cookie_check(WgCookieChecker *checker, const guint8 *message, gsize len,
                           const WgEndpoint *source, gint64 now);

/* wg_cookie_check_mac1: mac1 alone, which needs no source and no time. */
gboolean wg_cookie_check_mac1(const WgCookieChecker *checker, const guint8 *message, gsize len);

/* wg_cookie_reply: writes the cookie reply for `message` to `reply`. */
void wg_cookie_reply(WgCookieChecker *checker, const guint8 *message, gsize len,
                     const WgEndpoint *source, gint64 now, guint8 reply[WG_COOKIE_REPLY_SIZE]);

/* wg_cookie_add_macs: fills mac1 and, with a fresh cookie, mac2 at the end of `message`. */
void wg_cookie_add_macs(WgCookieMaker *maker, guint8 *message, gsize len, gint64 now);

/* wg_cookie_consume: takes a cookie reply; FALSE if it is not authentic or not asked for. */
gboolean wg_cookie_consume(WgCookieMaker *maker, const guint8 reply[WG_COOKIE_REPLY_SIZE],
                           gint64 now);

G_END_DECLS
