/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-resolver-stub.c: what counts as an answer of a name server, and who is asked when.
 */
#include <arpa/nameser.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/resolver-private.h"

#define NAME "gateway.example"

/* A datagram while it is put together. */
typedef struct {
    guint8 data[RESOLVER_DATAGRAM_MAX];
    gsize len;
} Datagram;

/* ---- Messages of the DNS (RFC 1035, 4.1) ---------------------------------------------------- */

static void put(Datagram *to, gconstpointer data, gsize len)
{
    g_assert_cmpuint(to->len + len, <=, sizeof to->data);
    memcpy(to->data + to->len, data, len);
    to->len += len;
}

static void put16(Datagram *to, guint number)
{
    put(to, (guint8[]){number >> 8, number & 0xff}, 2);
}

static Datagram query_for(int type)
{
    Datagram query;

    query.len = resolver_stub_query(NAME, type, query.data);
    g_assert_cmpuint(query.len, ==, NS_HFIXEDSZ + strlen(NAME) + 2 + NS_QFIXEDSZ);
    return query;
}

/* The query's header and question, as a response without records. */
static Datagram reply_to(const Datagram *query, int code)
{
    Datagram reply = *query;

    reply.data[2] |= 0x80;
    reply.data[3] = (guint8) (0x80 | code);
    return reply;
}

/* A record of the name that was asked for, or of “a.b” if it is not. */
static void put_record(Datagram *reply, gboolean own, guint type, gconstpointer data, gsize len)
{
    put(reply, own ? "\xc0\x0c" : "\1a\1b\0", own ? 2 : 5);
    put16(reply, type);
    put16(reply, ns_c_in);
    put(reply, "\0\0\0\x3c", 4);
    put16(reply, (guint) len);
    put(reply, data, len);
    reply->data[7]++;
}

static gboolean read_reply(const Datagram *reply, const Datagram *query, ResolverAnswer *answer)
{
    g_autofree guint8 *exact = g_memdup2(reply->data, reply->len);

    return resolver_stub_read(exact, reply->len, query->data, query->len, answer);
}

static const guint8 v4[] = {192, 0, 2, 9};
static const guint8 v6[] = {0x20, 1, 0xd, 0xb8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 9};

static void assert_address(const ResolverAnswer *answer, guint i, int family, const guint8 *bytes)
{
    g_assert_cmpuint(i, <, answer->n_addresses);
    g_assert_cmpint(answer->addresses[i].family, ==, family);
    g_assert_cmpmem(answer->addresses[i].bytes, family == AF_INET ? 4 : 16, bytes,
                    family == AF_INET ? 4 : 16);
}

/* ---- Reading -------------------------------------------------------------------------------- */

static void test_addresses(void)
{
    Datagram query4 = query_for(ns_t_a), query6 = query_for(ns_t_aaaa);
    Datagram reply4 = reply_to(&query4, ns_r_noerror), reply6 = reply_to(&query6, ns_r_noerror);
    ResolverAnswer answer = {0};

    put_record(&reply4, TRUE, ns_t_a, v4, sizeof v4);
    put_record(&reply6, TRUE, ns_t_aaaa, v6, sizeof v6);
    g_assert_true(read_reply(&reply6, &query6, &answer));
    g_assert_true(read_reply(&reply4, &query4, &answer));
    g_assert_cmpuint(answer.n_addresses, ==, 2);
    assert_address(&answer, 0, AF_INET6, v6);
    assert_address(&answer, 1, AF_INET, v4);
    g_assert_cmpmem(query4.data + 2, query4.len - 6, query6.data + 2, query6.len - 6);
}

/* The name is another one's, which has the address. */
static void test_alias(void)
{
    Datagram query = query_for(ns_t_a);
    Datagram reply = reply_to(&query, ns_r_noerror);
    ResolverAnswer answer = {0};

    put_record(&reply, TRUE, ns_t_cname, "\1a\1b", 5);
    put_record(&reply, FALSE, ns_t_a, v4, sizeof v4);
    g_assert_true(read_reply(&reply, &query, &answer));
    g_assert_cmpuint(answer.n_addresses, ==, 1);
    assert_address(&answer, 0, AF_INET, v4);
}

/* No address is an answer as well; a server that could not find out has given none. */
static void test_codes(void)
{
    Datagram query = query_for(ns_t_a);
    Datagram none = reply_to(&query, ns_r_noerror), nobody = reply_to(&query, ns_r_nxdomain);
    Datagram failed = reply_to(&query, ns_r_servfail), refused = reply_to(&query, ns_r_refused);
    ResolverAnswer answer = {0};

    put_record(&failed, TRUE, ns_t_a, v4, sizeof v4);
    g_assert_true(read_reply(&none, &query, &answer));
    g_assert_true(read_reply(&nobody, &query, &answer));
    g_assert_false(read_reply(&failed, &query, &answer));
    g_assert_false(read_reply(&refused, &query, &answer));
    g_assert_cmpuint(answer.n_addresses, ==, 0);
}

/* Another number, another name, another type, no response; and a question that is not ours. */
static void test_of_another_query(void)
{
    Datagram query = query_for(ns_t_a), other = query_for(ns_t_aaaa);
    Datagram good = reply_to(&query, ns_r_noerror);
    Datagram bad[4];
    ResolverAnswer answer = {0};

    put_record(&good, TRUE, ns_t_a, v4, sizeof v4);
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
        bad[i] = good;
    bad[0].data[1] ^= 1;
    bad[1].data[NS_HFIXEDSZ + 1] = 'f';
    bad[2].data[2] &= 0x7f;
    bad[3].data[5] = 0; /* no question at all: the records begin where it stands */
    for (guint i = 0; i < G_N_ELEMENTS(bad); i++)
        g_assert_false(read_reply(&bad[i], &query, &answer));
    memcpy(other.data, query.data, 2);
    g_assert_false(read_reply(&good, &other, &answer));
    g_assert_cmpuint(answer.n_addresses, ==, 0);
    good.data[NS_HFIXEDSZ + 1] = 'G'; /* names have no case (RFC 4343) */
    g_assert_true(read_reply(&good, &query, &answer));
}

/* What was in front of the damage does not count either. */
static void test_damaged(void)
{
    Datagram query = query_for(ns_t_a);
    Datagram reply = reply_to(&query, ns_r_noerror);
    ResolverAnswer answer = {0};

    put_record(&reply, TRUE, ns_t_a, v4, sizeof v4);
    put_record(&reply, TRUE, ns_t_a, v4, sizeof v4);
    for (gsize len = 1; len < reply.len; len++) {
        Datagram cut = {.len = len};

        memcpy(cut.data, reply.data, len);
        g_assert_false(read_reply(&cut, &query, &answer));
        g_assert_cmpuint(answer.n_addresses, ==, 0);
    }
    reply.data[reply.len - 5] = 3; /* of the size of an address */
    reply.len--;
    g_assert_true(read_reply(&reply, &query, &answer));
    g_assert_cmpuint(answer.n_addresses, ==, 1);
}

static void test_very_many(void)
{
    Datagram query = query_for(ns_t_a);
    Datagram reply = reply_to(&query, ns_r_noerror);
    ResolverAnswer answer = {0};

    while (reply.len + 16 <= sizeof reply.data)
        put_record(&reply, TRUE, ns_t_a, v4, sizeof v4);
    g_assert_true(read_reply(&reply, &query, &answer));
    g_assert_true(read_reply(&reply, &query, &answer));
    g_assert_cmpuint(answer.n_addresses, ==, RESOLVER_ADDRESSES_MAX);
}

/* Numbers that can be guessed would be the same, or the next. */
static void test_numbers(void)
{
    GHashTable *seen = g_hash_table_new(NULL, NULL);
    guint8 query[RESOLVER_DATAGRAM_MAX];

    for (guint i = 0; i < 64; i++) {
        g_assert_cmpuint(resolver_stub_query(NAME, ns_t_a, query), >, 0);
        g_hash_table_add(seen, GUINT_TO_POINTER(query[0]));
    }
    g_assert_cmpuint(g_hash_table_size(seen), >, 16);
    g_hash_table_unref(seen);
}

static void test_no_name(void)
{
    g_autofree char *label = g_strnfill(64, 'a');
    guint8 query[RESOLVER_DATAGRAM_MAX];

    g_assert_cmpuint(resolver_stub_query(label, ns_t_a, query), ==, 0);
    g_assert_cmpuint(resolver_stub_query("a..b", ns_t_a, query), ==, 0);
}

/* ---- Asking --------------------------------------------------------------------------------- */

/* A name server, at the other end of a socket. */
typedef struct {
    int fds[2];
    gboolean only_v4;
    int code;
    guint asked;
    GThread *thread;
} Server;

/* Until the other end is closed. */
static gpointer serve(gpointer data)
{
    Server *server = data;
    Datagram query, reply;
    gssize n;

    while ((n = recv(server->fds[1], query.data, sizeof query.data, 0)) > 0) {
        gboolean is_v6 = query.data[n - 3] == ns_t_aaaa;

        query.len = (gsize) n;
        server->asked++;
        if (server->code < 0 || (is_v6 && server->only_v4))
            continue;
        reply = reply_to(&query, server->code);
        if (server->code == ns_r_noerror)
            put_record(&reply, TRUE, is_v6 ? ns_t_aaaa : ns_t_a, is_v6 ? v6 : v4, is_v6 ? 16 : 4);
        g_assert_cmpint(send(server->fds[1], reply.data, reply.len, MSG_NOSIGNAL), >, 0);
    }
    return NULL;
}

/* `code` -1: it says nothing. */
static void start_server(Server *server, int code)
{
    *server = (Server){.code = code};
    g_assert_cmpint(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, server->fds), ==, 0);
}

static void stop_server(Server *server)
{
    close(server->fds[0]);
    g_clear_pointer(&server->thread, g_thread_join);
    close(server->fds[1]);
}

static ResolverAnswer ask(Server *servers, guint n)
{
    ResolverQuestion question = {.family = AF_UNSPEC, .name = NAME};
    ResolverAnswer answer = {0};
    int sockets[RESOLVER_SERVERS_MAX];

    for (guint i = 0; i < n; i++) {
        sockets[i] = servers[i].fds[0];
        servers[i].thread = g_thread_new("server", serve, &servers[i]);
    }
    resolver_stub_ask(&question, sockets, n, &answer);
    for (guint i = 0; i < n; i++)
        stop_server(&servers[i]);
    return answer;
}

static void test_ask(void)
{
    ResolverAnswer answer;
    Server server;

    start_server(&server, ns_r_noerror);
    answer = ask(&server, 1);
    g_assert_cmpint(answer.status, ==, 0);
    g_assert_cmpuint(answer.n_addresses, ==, 2);
    g_assert_cmpuint(server.asked, ==, 2);
}

/* The second is asked when the first has said nothing for a second; nobody after that. */
static void test_ask_next(void)
{
    gint64 begin = g_get_monotonic_time();
    ResolverAnswer answer;
    Server servers[3];

    start_server(&servers[0], -1);
    start_server(&servers[1], ns_r_noerror);
    start_server(&servers[2], ns_r_noerror);
    answer = ask(servers, 3);
    g_assert_cmpint(answer.status, ==, 0);
    g_assert_cmpuint(answer.n_addresses, ==, 2);
    g_assert_cmpuint(servers[0].asked, ==, 2);
    g_assert_cmpuint(servers[2].asked, ==, 0);
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 2 * G_USEC_PER_SEC);
}

/* What one type has is not held up by the other. */
static void test_ask_half(void)
{
    gint64 begin = g_get_monotonic_time();
    ResolverAnswer answer;
    Server server;

    start_server(&server, ns_r_noerror);
    server.only_v4 = TRUE;
    answer = ask(&server, 1);
    g_assert_cmpint(answer.status, ==, 0);
    g_assert_cmpuint(answer.n_addresses, ==, 1);
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 2 * G_USEC_PER_SEC);
}

static void test_ask_for_nobody(void)
{
    ResolverAnswer answer;
    Server server;

    start_server(&server, ns_r_nxdomain);
    answer = ask(&server, 1);
    g_assert_cmpint(answer.status, ==, EAI_NONAME);
    g_assert_cmpuint(answer.n_addresses, ==, 0);
}

/* Whoever asked is not interested any more: so it ends at once. */
static void test_ask_closed(void)
{
    ResolverAnswer answer = {0};
    ResolverQuestion question = {.family = AF_UNSPEC, .name = NAME};
    gint64 begin = g_get_monotonic_time();
    Server server;

    start_server(&server, -1);
    shutdown(server.fds[1], SHUT_RDWR);
    resolver_stub_ask(&question, &server.fds[0], 1, &answer);
    g_assert_cmpint(answer.status, ==, EAI_AGAIN);
    g_assert_cmpint(g_get_monotonic_time() - begin, <, G_USEC_PER_SEC);
    stop_server(&server);
}

/* Before the dialer gives up, which has six seconds for it. */
static void test_ask_silence(void)
{
    gint64 begin = g_get_monotonic_time();
    ResolverAnswer answer;
    Server server;

    start_server(&server, -1);
    answer = ask(&server, 1);
    g_assert_cmpint(answer.status, ==, EAI_AGAIN);
    g_assert_cmpuint(server.asked, ==, 10);
    g_assert_cmpint(g_get_monotonic_time() - begin, <, 6 * G_USEC_PER_SEC);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD_TEST(name, func) g_test_add_func("/resolver-stub/" name, func)
    ADD_TEST("read/addresses", test_addresses);
    ADD_TEST("read/alias", test_alias);
    ADD_TEST("read/codes", test_codes);
    ADD_TEST("read/of-another-query", test_of_another_query);
    ADD_TEST("read/damaged", test_damaged);
    ADD_TEST("read/very-many", test_very_many);
    ADD_TEST("query/numbers", test_numbers);
    ADD_TEST("query/no-name", test_no_name);
    ADD_TEST("ask/both-families", test_ask);
    ADD_TEST("ask/next-server", test_ask_next);
    ADD_TEST("ask/one-family", test_ask_half);
    ADD_TEST("ask/nobody", test_ask_for_nobody);
    ADD_TEST("ask/closed", test_ask_closed);
    ADD_TEST("ask/silence", test_ask_silence);
    return g_test_run();
}
