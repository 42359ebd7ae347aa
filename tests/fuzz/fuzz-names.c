/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * fuzz-names.c: anything that claims to be a name server's answer. The bytes are tried as they are,
 * and with the number of a query in front, or all of it: no damage would leave that in place.
 */
#include "fuzz.h"

#include <arpa/nameser.h>
#include <netinet/in.h>
#include <string.h>

#include "sandbox/resolver-private.h"

static void take(const guint8 *data, gsize len, const guint8 *query, gsize query_len)
{
    ResolverAnswer answer = {.n_addresses = 1, .addresses = {{.family = AF_INET6}}};
    g_autofree guint8 *exact = g_memdup2(data, len);

    if (!resolver_stub_read(exact ? exact : data, len, query, query_len, &answer))
        g_assert_cmpuint(answer.n_addresses, ==, 1);
    g_assert_cmpuint(answer.n_addresses, <=, RESOLVER_ADDRESSES_MAX);
    for (guint i = 1; i < answer.n_addresses; i++)
        g_assert_cmpint(answer.addresses[i].family, ==, AF_INET);
}

int LLVMFuzzerTestOneInput(const guint8 *data, gsize len)
{
    guint8 query[RESOLVER_DATAGRAM_MAX];
    gsize query_len = resolver_stub_query("a.bc", ns_t_a, query);
    guint8 reply[2 * RESOLVER_DATAGRAM_MAX];

    len = MIN(len, RESOLVER_DATAGRAM_MAX);
    take(data, len, query, query_len);
    memcpy(reply, query, 2);
    memcpy(reply + 2, data, len);
    take(reply, 2 + len, query, query_len);
    memcpy(reply, query, query_len);
    memcpy(reply + query_len, data, len);
    reply[2] = 0x81;
    reply[7] = 4;
    take(reply, query_len + len, query, query_len);
    return 0;
}
