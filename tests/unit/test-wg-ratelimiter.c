/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-wg-ratelimiter.c: who may send how many handshake messages under load. The timings are
 * those of Linux's self-test (drivers/net/wireguard/selftest/ratelimiter.c).
 */
#include "wireguard/wg-ratelimiter.h"

#include <arpa/inet.h>
#include <string.h>

#define MS ((gint64) G_TIME_SPAN_MILLISECOND)

static WgEndpoint endpoint4(guint32 address, guint16 port)
{
    WgEndpoint endpoint = {0};

    endpoint.remote.in4.sin_family = AF_INET;
    endpoint.remote.in4.sin_addr.s_addr = htonl(address);
    endpoint.remote.in4.sin_port = htons(port);
    return endpoint;
}

static WgEndpoint endpoint6(const char *address, guint16 port)
{
    WgEndpoint endpoint = {0};

    endpoint.remote.in6.sin6_family = AF_INET6;
    endpoint.remote.in6.sin6_port = htons(port);
    g_assert_cmpint(inet_pton(AF_INET6, address, &endpoint.remote.in6.sin6_addr), ==, 1);
    return endpoint;
}

typedef struct {
    gint64 wait;
    gboolean allowed;
} Step;

static const Step steps[] = {
    {0, TRUE},  {0, TRUE},        {0, TRUE},  {0, TRUE},        {0, TRUE},
    {0, FALSE}, {50 * MS, TRUE},  {0, FALSE}, {100 * MS, TRUE}, {0, TRUE},
    {0, FALSE}, {49 * MS, FALSE}, {MS, TRUE},
};

/* The share is the address's, whatever the port, and no other address has less for it. */
static void test_ipv4(void)
{
    g_autoptr(WgRatelimiter) limiter = wg_ratelimiter_new();
    gint64 now = 7 * WG_SECOND;

    for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
        WgEndpoint source = endpoint4(8182, (guint16) (1000 + i));
        WgEndpoint other = endpoint4(8183 + i, 1000);

        now += steps[i].wait;
        g_assert_cmpint(wg_ratelimiter_allow(limiter, &source, now), ==, steps[i].allowed);
        g_assert_true(wg_ratelimiter_allow(limiter, &other, now));
    }
}

/* An IPv6 host can take any address of its /64: they share. The next /64 does not. */
static void test_ipv6(void)
{
    g_autoptr(WgRatelimiter) limiter = wg_ratelimiter_new();
    gint64 now = 7 * WG_SECOND;

    for (guint i = 0; i < G_N_ELEMENTS(steps); i++) {
        g_autofree char *same = g_strdup_printf("2001:db8:1:2:%x::%x", i, i + 1);
        g_autofree char *next = g_strdup_printf("2001:db8:1:%x::1", i + 3);
        WgEndpoint source = endpoint6(same, 9);
        WgEndpoint other = endpoint6(next, 9);

        now += steps[i].wait;
        g_assert_cmpint(wg_ratelimiter_allow(limiter, &source, now), ==, steps[i].allowed);
        g_assert_true(wg_ratelimiter_allow(limiter, &other, now));
    }
}

/* The same 64 bits in the other family are somebody else. */
static void test_families_apart(void)
{
    g_autoptr(WgRatelimiter) limiter = wg_ratelimiter_new();
    WgEndpoint v4 = endpoint4(0, 1);
    WgEndpoint v6 = endpoint6("::1", 1);

    for (guint i = 0; i < WG_RATELIMIT_BURST; i++)
        g_assert_true(wg_ratelimiter_allow(limiter, &v4, 0));
    g_assert_false(wg_ratelimiter_allow(limiter, &v4, 0));
    g_assert_true(wg_ratelimiter_allow(limiter, &v6, 0));
    g_assert_cmpuint(wg_ratelimiter_size(limiter), ==, 2);
}

/* Over a long time it is 20 a second, however hard one tries. */
static void test_rate(void)
{
    g_autoptr(WgRatelimiter) limiter = wg_ratelimiter_new();
    WgEndpoint source = endpoint4(1, 1);
    guint allowed = 0;

    for (gint64 now = 0; now < 10 * WG_SECOND; now += MS)
        allowed += wg_ratelimiter_allow(limiter, &source, now) ? 1 : 0;
    g_assert_cmpuint(allowed, >=, 10 * WG_RATELIMIT_PER_SECOND);
    g_assert_cmpuint(allowed, <=, 10 * WG_RATELIMIT_PER_SECOND + WG_RATELIMIT_BURST);
}

/* A full table turns strangers away, keeps serving those it knows, and empties by itself. */
static void test_capacity(void)
{
    g_autoptr(WgRatelimiter) limiter = wg_ratelimiter_new();
    WgEndpoint source;

    for (guint32 i = 0; i < WG_RATELIMIT_MAX_ENTRIES; i++) {
        source = endpoint4(i, 1);
        g_assert_true(wg_ratelimiter_allow(limiter, &source, i));
    }
    g_assert_cmpuint(wg_ratelimiter_size(limiter), ==, WG_RATELIMIT_MAX_ENTRIES);
    source = endpoint4(WG_RATELIMIT_MAX_ENTRIES, 1);
    g_assert_false(wg_ratelimiter_allow(limiter, &source, WG_RATELIMIT_MAX_ENTRIES));
    source = endpoint4(5, 1);
    g_assert_true(wg_ratelimiter_allow(limiter, &source, WG_RATELIMIT_MAX_ENTRIES));
    g_assert_cmpuint(wg_ratelimiter_size(limiter), ==, WG_RATELIMIT_MAX_ENTRIES);

    source = endpoint4(WG_RATELIMIT_MAX_ENTRIES, 1);
    g_assert_true(wg_ratelimiter_allow(limiter, &source, 3 * WG_SECOND));
    g_assert_cmpuint(wg_ratelimiter_size(limiter), ==, 1);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/wg-ratelimiter/ipv4", test_ipv4); /* row 8 */
    g_test_add_func("/wg-ratelimiter/ipv6", test_ipv6); /* row 8 */
    g_test_add_func("/wg-ratelimiter/families-apart", test_families_apart);
    g_test_add_func("/wg-ratelimiter/rate", test_rate);         /* row 8 */
    g_test_add_func("/wg-ratelimiter/capacity", test_capacity); /* row 8 */
    return g_test_run();
}
