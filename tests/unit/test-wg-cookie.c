/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-wg-cookie.c: the MACs of handshake messages and the cookies of a responder under load.
 */
#include "wireguard/wg-cookie.h"

#include <string.h>

#include "wire.h"

typedef struct {
    WgCookieChecker checker; /* the responder's */
    WgCookieMaker maker;     /* the initiator's, for that responder */
    WgKey responder;
    WgEndpoint source;
    guint8 message[WG_INITIATION_SIZE];
    gint64 now;
} Fixture;

#define MAC1 (WG_INITIATION_SIZE - 2 * WG_MAC_SIZE)
#define MAC2 (WG_INITIATION_SIZE - WG_MAC_SIZE)

static void set_up(Fixture *f, gconstpointer unused)
{
    WgKey private_key;

    wg_key_generate(&private_key);
    wg_key_public(&f->responder, &private_key);
    wg_cookie_checker_init(&f->checker, &f->responder);
    wg_cookie_maker_init(&f->maker, &f->responder);
    f->source = endpoint_of("192.0.2.1", 1111);
    f->now = 5 * WG_SECOND;
    wg_random(f->message, sizeof f->message);
}

static void tear_down(Fixture *f, gconstpointer unused)
{
    wg_cookie_checker_clear(&f->checker);
    wg_cookie_maker_clear(&f->maker);
}

static WgMacState check(Fixture *f)
{
    return wg_cookie_check(&f->checker, f->message, sizeof f->message, &f->source, f->now);
}

static void add_macs(Fixture *f)
{
    wg_cookie_add_macs(&f->maker, f->message, sizeof f->message, f->now);
}

/* The responder answers the message with a cookie; whether the initiator takes it. */
static gboolean trade(Fixture *f)
{
    guint8 reply[WG_COOKIE_REPLY_SIZE];

    wg_cookie_reply(&f->checker, f->message, sizeof f->message, &f->source, f->now, reply);
    return wg_cookie_consume(&f->maker, reply, f->now);
}

/* Keys and MACs by the formulas of paper 5.4.4. */
static void test_mac1(Fixture *f, gconstpointer unused)
{
    guint8 key[WG_HASH_SIZE];
    guint8 mac[WG_MAC_SIZE];
    const guint8 zeros[WG_MAC_SIZE] = {0};

    g_assert_cmpint(check(f), ==, WG_MAC_INVALID);
    add_macs(f);
    wg_hash(key, "mac1----", 8, f->responder.bytes, WG_KEY_SIZE);
    wg_mac(mac, key, sizeof key, f->message, MAC1, NULL, 0);
    g_assert_cmpmem(f->message + MAC1, WG_MAC_SIZE, mac, sizeof mac);
    g_assert_cmpmem(f->message + MAC2, WG_MAC_SIZE, zeros, sizeof zeros);
    g_assert_cmpint(check(f), ==, WG_MAC_VALID);

    for (guint i = 0; i < MAC2; i++) {
        f->message[i] ^= 1;
        g_assert_cmpint(check(f), ==, WG_MAC_INVALID);
        g_assert_false(wg_cookie_check_mac1(&f->checker, f->message, sizeof f->message));
        f->message[i] ^= 1;
    }
    g_assert_true(wg_cookie_check_mac1(&f->checker, f->message, sizeof f->message));
}

/* A message for somebody else is not for us. */
static void test_other_receiver(Fixture *f, gconstpointer unused)
{
    add_macs(f);
    f->responder.bytes[3] ^= 1;
    wg_cookie_checker_init(&f->checker, &f->responder);
    g_assert_cmpint(check(f), ==, WG_MAC_INVALID);
}

static void test_trade(Fixture *f, gconstpointer unused)
{
    add_macs(f);
    g_assert_true(trade(f));
    g_assert_cmpint(check(f), ==, WG_MAC_VALID); /* the message of before proves nothing yet */
    add_macs(f);
    g_assert_cmpint(check(f), ==, WG_MAC_WITH_COOKIE);
    f->message[MAC2] ^= 1;
    g_assert_cmpint(check(f), ==, WG_MAC_VALID);

    /* A response is the other kind of message that has MACs. */
    wg_cookie_add_macs(&f->maker, f->message, WG_RESPONSE_SIZE, f->now);
    g_assert_cmpint(wg_cookie_check(&f->checker, f->message, WG_RESPONSE_SIZE, &f->source, f->now),
                    ==, WG_MAC_WITH_COOKIE);
}

/* The reply is by the book: paper 5.4.7. */
static void test_reply_format(Fixture *f, gconstpointer unused)
{
    guint8 reply[WG_COOKIE_REPLY_SIZE];
    guint8 again[WG_COOKIE_REPLY_SIZE];
    const guint8 type[4] = {3, 0, 0, 0};
    guint8 key[WG_HASH_SIZE];
    guint8 cookie[WG_COOKIE_SIZE];
    guint8 mac[WG_MAC_SIZE];

    add_macs(f);
    wg_cookie_reply(&f->checker, f->message, sizeof f->message, &f->source, f->now, reply);
    g_assert_cmpmem(reply, 4, type, 4);
    g_assert_cmpmem(reply + 4, 4, f->message + 4, 4);
    wg_hash(key, "cookie--", 8, f->responder.bytes, WG_KEY_SIZE);
    g_assert_true(
        wg_xaead_open(key, reply + 8, f->message + MAC1, WG_MAC_SIZE, reply + 32, 32, cookie));
    wg_mac(mac, f->checker.secret, WG_HASH_SIZE, &f->source.remote.in4.sin_addr, 4,
           &f->source.remote.in4.sin_port, 2);
    g_assert_cmpmem(cookie, sizeof cookie, mac, sizeof mac);

    /* A nonce is used once. */
    wg_cookie_reply(&f->checker, f->message, sizeof f->message, &f->source, f->now, again);
    g_assert_false(wg_equal(reply + 8, again + 8, WG_XNONCE_SIZE));
}

/* A cookie belongs to one address and port. */
static void test_other_source(Fixture *f, gconstpointer unused)
{
    static const struct {
        const char *from;
        guint16 port;
        const char *other;
        guint16 other_port;
    } cases[] = {
        {"192.0.2.1", 1111, "192.0.2.1", 1112},     {"192.0.2.1", 1111, "192.0.2.2", 1111},
        {"2001:db8::1", 1111, "2001:db8::1", 1112}, {"2001:db8::1", 1111, "2001:db8::2", 1111},
        {"2001:db8::1", 1111, "192.0.2.1", 1111},
    };

    for (guint i = 0; i < G_N_ELEMENTS(cases); i++) {
        f->source = endpoint_of(cases[i].from, cases[i].port);
        add_macs(f);
        g_assert_true(trade(f));
        add_macs(f);
        g_assert_cmpint(check(f), ==, WG_MAC_WITH_COOKIE);
        f->source = endpoint_of(cases[i].other, cases[i].other_port);
        g_assert_cmpint(check(f), ==, WG_MAC_VALID);
    }
}

/* The initiator uses a cookie for 115 s after it came, the responder honours it for as long as
 * its secret lives: 120 s. */
static void test_expiry(Fixture *f, gconstpointer unused)
{
    guint8 with_cookie[sizeof f->message];
    gint64 born = f->now;

    add_macs(f);
    g_assert_true(trade(f));
    f->now = born + 115 * WG_SECOND - 1;
    add_macs(f);
    g_assert_cmpint(check(f), ==, WG_MAC_WITH_COOKIE);
    f->now = born + 115 * WG_SECOND;
    g_assert_cmpint(check(f), ==, WG_MAC_WITH_COOKIE);
    memcpy(with_cookie, f->message, sizeof with_cookie);
    add_macs(f);
    g_assert_cmpint(check(f), ==, WG_MAC_VALID);

    memcpy(f->message, with_cookie, sizeof with_cookie);
    f->now = born + 120 * WG_SECOND - 1;
    g_assert_cmpint(check(f), ==, WG_MAC_WITH_COOKIE);
    f->now = born + 120 * WG_SECOND;
    g_assert_cmpint(check(f), ==, WG_MAC_VALID);
}

/* Secrets do not come back. */
static void test_rotation(Fixture *f, gconstpointer unused)
{
    guint8 secret[WG_HASH_SIZE];

    add_macs(f);
    g_assert_true(trade(f));
    memcpy(secret, f->checker.secret, sizeof secret);
    f->now += WG_COOKIE_SECRET_TIME - 1;
    g_assert_cmpint(check(f), ==, WG_MAC_VALID);
    g_assert_cmpmem(secret, sizeof secret, f->checker.secret, WG_HASH_SIZE);
    f->now += 1;
    g_assert_cmpint(check(f), ==, WG_MAC_VALID);
    g_assert_false(wg_equal(secret, f->checker.secret, sizeof secret));
}

/* Only an authentic reply to the last message, and only one. */
static void test_consume(Fixture *f, gconstpointer unused)
{
    guint8 reply[WG_COOKIE_REPLY_SIZE];
    guint8 old_reply[WG_COOKIE_REPLY_SIZE];

    add_macs(f);
    wg_cookie_reply(&f->checker, f->message, sizeof f->message, &f->source, f->now, old_reply);
    wg_random(f->message, MAC1);
    add_macs(f);
    g_assert_false(wg_cookie_consume(&f->maker, old_reply, f->now));

    wg_cookie_reply(&f->checker, f->message, sizeof f->message, &f->source, f->now, reply);
    for (guint i = 8; i < sizeof reply; i++) {
        reply[i] ^= 1;
        g_assert_false(wg_cookie_consume(&f->maker, reply, f->now));
        reply[i] ^= 1;
    }
    add_macs(f);
    g_assert_cmpint(check(f), ==, WG_MAC_VALID); /* none of those was taken */
    g_assert_true(wg_cookie_consume(&f->maker, reply, f->now));
    g_assert_false(wg_cookie_consume(&f->maker, reply, f->now));
}

/* Nothing was sent, so nothing was asked for. */
static void test_unasked(Fixture *f, gconstpointer unused)
{
    WgCookieMaker other;

    wg_cookie_maker_init(&other, &f->responder);
    wg_cookie_add_macs(&other, f->message, sizeof f->message, f->now);
    g_assert_false(trade(f));
    wg_cookie_maker_clear(&other);
}

#define ADD(name, func) g_test_add("/wg-cookie/" name, Fixture, NULL, set_up, func, tear_down)

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    ADD("mac1", test_mac1);                     /* row 7 */
    ADD("other-receiver", test_other_receiver); /* row 7 */
    ADD("trade", test_trade);                   /* row 9 */
    ADD("reply-format", test_reply_format);
    ADD("other-source", test_other_source); /* row 9 */
    ADD("expiry", test_expiry);             /* row 9 */
    ADD("rotation", test_rotation);         /* row 9 */
    ADD("consume", test_consume);
    ADD("unasked", test_unasked); /* row 9 */
    return g_test_run();
}
