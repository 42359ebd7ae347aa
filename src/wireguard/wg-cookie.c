/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wg-cookie.c: mac1, mac2 and cookie replies. A cookie proves that its bearer receives at the
 * address it sends from, at the price of one MAC for us and no state (paper 5.3).
 */
#include "wg-cookie.h"

#include <string.h>

#include "wg-aead.h"
#include "wg-messages.h"

/* mac1 and mac2 are the last two fields of a message. */
#define MACS_SIZE (2 * WG_MAC_SIZE)

static void label_key(guint8 key[WG_HASH_SIZE], const char *label, const WgKey *public_key)
{
    wg_hash(key, label, strlen(label), public_key, WG_KEY_SIZE);
}

void wg_cookie_checker_init(WgCookieChecker *checker, const WgKey *own_public)
{
    label_key(checker->mac1_key, WG_LABEL_MAC1, own_public);
    label_key(checker->cookie_key, WG_LABEL_COOKIE, own_public);
    checker->secret_born = G_MININT64;
}

void wg_cookie_checker_clear(WgCookieChecker *checker)
{
    wg_wipe(checker, sizeof *checker);
}

void wg_cookie_maker_init(WgCookieMaker *maker, const WgKey *peer_public)
{
    *maker = (WgCookieMaker){.cookie_born = G_MININT64};
    label_key(maker->mac1_key, WG_LABEL_MAC1, peer_public);
    label_key(maker->cookie_key, WG_LABEL_COOKIE, peer_public);
}

void wg_cookie_maker_clear(WgCookieMaker *maker)
{
    wg_wipe(maker, sizeof *maker);
}

/* The cookie of a source address: a MAC of address and port under a secret of two minutes. */
static void make_cookie(WgCookieChecker *checker, const WgEndpoint *source, gint64 now,
                        guint8 cookie[WG_COOKIE_SIZE])
{
    if (checker->secret_born == G_MININT64 || now - checker->secret_born >= WG_COOKIE_SECRET_TIME) {
        wg_random(checker->secret, sizeof checker->secret);
        checker->secret_born = now;
    }
    if (source->remote.any.sa_family == AF_INET6)
        wg_mac(cookie, checker->secret, WG_HASH_SIZE, &source->remote.in6.sin6_addr,
               sizeof source->remote.in6.sin6_addr, &source->remote.in6.sin6_port,
               sizeof source->remote.in6.sin6_port);
    else
        wg_mac(cookie, checker->secret, WG_HASH_SIZE, &source->remote.in4.sin_addr,
               sizeof source->remote.in4.sin_addr, &source->remote.in4.sin_port,
               sizeof source->remote.in4.sin_port);
}

gboolean wg_cookie_check_mac1(const WgCookieChecker *checker, const guint8 *message, gsize len)
{
    gsize covered = len - MACS_SIZE;
    guint8 mac[WG_MAC_SIZE];

    wg_mac(mac, checker->mac1_key, WG_HASH_SIZE, message, covered, NULL, 0);
    return wg_equal(mac, message + covered, WG_MAC_SIZE);
}

WgMacState wg_cookie_check(WgCookieChecker *checker, const guint8 *message, gsize len,
                           const WgEndpoint *source, gint64 now)
{
    gsize covered = len - WG_MAC_SIZE;
    guint8 cookie[WG_COOKIE_SIZE], mac[WG_MAC_SIZE];

    if (!wg_cookie_check_mac1(checker, message, len))
        return WG_MAC_INVALID;
    make_cookie(checker, source, now, cookie);
    wg_mac(mac, cookie, WG_COOKIE_SIZE, message, covered, NULL, 0);
    return wg_equal(mac, message + covered, WG_MAC_SIZE) ? WG_MAC_WITH_COOKIE : WG_MAC_VALID;
}

void wg_cookie_reply(WgCookieChecker *checker, const guint8 *message, gsize len,
                     const WgEndpoint *source, gint64 now, guint8 reply[WG_COOKIE_REPLY_SIZE])
{
    WgCookieReply out = {.type = WG_TYPE_COOKIE_REPLY};
    guint8 cookie[WG_COOKIE_SIZE];

    /* The sender index of both kinds of message follows the type. */
    memcpy(&out.receiver, message + 4, sizeof out.receiver);
    wg_random(out.nonce, sizeof out.nonce);
    make_cookie(checker, source, now, cookie);
    wg_xaead_seal(checker->cookie_key, out.nonce, message + len - MACS_SIZE, WG_MAC_SIZE, cookie,
                  sizeof cookie, out.cookie);
    memcpy(reply, &out, sizeof out);
}

void wg_cookie_add_macs(WgCookieMaker *maker, guint8 *message, gsize len, gint64 now)
{
    guint8 *mac1 = message + len - MACS_SIZE;
    guint8 *mac2 = mac1 + WG_MAC_SIZE;

    wg_mac(mac1, maker->mac1_key, WG_HASH_SIZE, message, len - MACS_SIZE, NULL, 0);
    memcpy(maker->last_mac1, mac1, WG_MAC_SIZE);
    maker->mac1_outstanding = TRUE;

    if (maker->cookie_born != G_MININT64 &&
        now - maker->cookie_born < WG_COOKIE_SECRET_TIME - WG_COOKIE_LATENCY)
        wg_mac(mac2, maker->cookie, WG_COOKIE_SIZE, message, len - WG_MAC_SIZE, NULL, 0);
    else
        memset(mac2, 0, WG_MAC_SIZE);
}

gboolean wg_cookie_consume(WgCookieMaker *maker, const guint8 reply[WG_COOKIE_REPLY_SIZE],
                           gint64 now)
{
    WgCookieReply in;
    guint8 cookie[WG_COOKIE_SIZE];

    if (!maker->mac1_outstanding)
        return FALSE;
    memcpy(&in, reply, sizeof in);
    if (!wg_xaead_open(maker->cookie_key, in.nonce, maker->last_mac1, WG_MAC_SIZE, in.cookie,
                       sizeof in.cookie, cookie))
        return FALSE;
    memcpy(maker->cookie, cookie, sizeof cookie);
    maker->cookie_born = now;
    maker->mac1_outstanding = FALSE;
    return TRUE;
}
