/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-uapi-request.c: the reader of configuration requests: each key, each kind of bad value, and
 * that of a bad request nothing is kept.
 */
#include "uapi/uapi-request.h"

#include <arpa/inet.h>
#include <errno.h>
#include <net/if.h>
#include <string.h>

#define KEY_A "000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f"
#define KEY_B "F0E0D0C0B0A09080706050403020100f0e0d0c0b0a09080706050403020100ff"
#define ZEROS "0000000000000000000000000000000000000000000000000000000000000000"
#define PEER  "public_key=" KEY_A "\n"

/* ---- Requests ------------------------------------------------------------------------------- */

/* Reads the lines of `text` up to the first result that ends a request; `*text` is what follows. */
static UapiResult read_one(UapiReader *reader, const char **text)
{
    UapiResult result = UAPI_MORE;

    while (result == UAPI_MORE && **text) {
        const char *end = strchr(*text, '\n');

        g_assert_nonnull(end);
        result = uapi_reader_line(reader, *text, (gsize) (end - *text));
        *text = end + 1;
    }
    return result;
}

static UapiSet *read_set(const char *lines)
{
    g_autoptr(UapiReader) reader = uapi_reader_new();
    g_autofree char *request = g_strconcat("set=1\n", lines, "\n", NULL);
    const char *text = request;

    g_assert_cmpint(read_one(reader, &text), ==, UAPI_SET);
    g_assert_cmpstr(text, ==, "");
    return uapi_reader_take_set(reader);
}

/* The request is wrong in line `line`, and nothing of it is kept. */
static void expect_wrong(const char *lines, int number, guint line)
{
    g_autoptr(UapiReader) reader = uapi_reader_new();
    g_autofree char *request = g_strconcat("set=1\n", lines, "\n", NULL);
    const char *text = request;
    guint where = 0;

    if (read_one(reader, &text) != UAPI_WRONG)
        g_error("not refused: %s", lines);
    g_assert_cmpstr(text, ==, "");
    g_assert_cmpint(uapi_reader_get_errno(reader, &where), ==, number);
    g_assert_cmpint(uapi_reader_get_errno(reader, NULL), ==, number);
    g_assert_cmpuint(where, ==, line);
    g_assert_null(uapi_reader_take_set(reader));
}

static const UapiPeer *peer_at(const UapiSet *set, guint i)
{
    g_assert_cmpuint(i, <, set->peers->len);
    return g_ptr_array_index(set->peers, i);
}

static void expect_key(const WgKey *key, guint8 first, guint8 last)
{
    g_assert_cmphex(key->bytes[0], ==, first);
    g_assert_cmphex(key->bytes[WG_KEY_SIZE - 1], ==, last);
}

static void test_get(void)
{
    g_autoptr(UapiReader) reader = uapi_reader_new();
    const char *text = "get=1\n\nget=1\n\n";

    g_assert_cmpint(read_one(reader, &text), ==, UAPI_GET);
    g_assert_cmpstr(text, ==, "get=1\n\n");
    g_assert_cmpint(read_one(reader, &text), ==, UAPI_GET);

    text = "get=1\nlisten_port=1\n\n";
    g_assert_cmpint(read_one(reader, &text), ==, UAPI_WRONG);
    g_assert_cmpint(uapi_reader_get_errno(reader, NULL), ==, EINVAL);
}

static void test_empty_set(void)
{
    g_autoptr(UapiSet) set = read_set("");

    g_assert_false(set->has_private_key || set->has_listen_port || set->has_fwmark ||
                   set->replace_peers);
    g_assert_cmpuint(set->peers->len, ==, 0);
}

static void test_device_keys(void)
{
    g_autoptr(UapiSet) set = read_set("private_key=" KEY_B "\nlisten_port=51820\n"
                                      "fwmark=4294967295\nreplace_peers=true\n");

    g_assert_true(set->has_private_key && set->has_listen_port && set->has_fwmark);
    expect_key(&set->private_key, 0xf0, 0xff);
    g_assert_cmpuint(set->listen_port, ==, 51820);
    g_assert_cmpuint(set->fwmark, ==, G_MAXUINT32);
    g_assert_true(set->replace_peers);
    g_assert_cmpuint(set->peers->len, ==, 0);
}

/* "None" is a value of its own, not the absence of one. */
static void test_device_zeros(void)
{
    g_autoptr(UapiSet) set = read_set("private_key=" ZEROS "\nlisten_port=0\nfwmark=0\n");

    g_assert_true(set->has_private_key && set->has_listen_port && set->has_fwmark);
    g_assert_true(wg_key_is_zero(&set->private_key));
    g_assert_cmpuint(set->listen_port, ==, 0);
    g_assert_cmpuint(set->fwmark, ==, 0);
}

static void test_last_value_wins(void)
{
    g_autoptr(UapiSet) set =
        read_set("listen_port=1\nlisten_port=2\n" PEER "persistent_keepalive_interval=1\n"
                 "persistent_keepalive_interval=65535\n");

    g_assert_cmpuint(set->listen_port, ==, 2);
    g_assert_cmpuint(peer_at(set, 0)->keepalive, ==, 65535);
}

static void test_peer_keys(void)
{
    g_autoptr(UapiSet) set =
        read_set(PEER "update_only=true\npreshared_key=" KEY_B "\nendpoint=192.0.2.1:51820\n"
                      "persistent_keepalive_interval=25\nreplace_allowed_ips=true\n"
                      "allowed_ip=10.0.0.0/8\nallowed_ip=-fd00::/64\nprotocol_version=1\n");
    const UapiPeer *peer = peer_at(set, 0);

    expect_key(&peer->public_key, 0x00, 0x1f);
    g_assert_true(peer->update_only && peer->has_preshared_key && peer->has_endpoint &&
                  peer->has_keepalive && peer->replace_allowed_ips);
    g_assert_false(peer->remove);
    expect_key(&peer->preshared_key, 0xf0, 0xff);
    g_assert_cmpuint(peer->keepalive, ==, 25);
    g_assert_cmpuint(peer->allowed_ips->len, ==, 2);
    g_assert_false(g_array_index(peer->allowed_ips, UapiAllowedIp, 0).remove);
    g_assert_true(g_array_index(peer->allowed_ips, UapiAllowedIp, 1).remove);
}

static void test_peers(void)
{
    g_autoptr(UapiSet) set = read_set("replace_peers=true\n" PEER "remove=true\n"
                                      "public_key=" KEY_B "\nallowed_ip=10.0.0.1/32\n" PEER);

    g_assert_cmpuint(set->peers->len, ==, 3);
    g_assert_true(peer_at(set, 0)->remove);
    g_assert_null(peer_at(set, 0)->allowed_ips);
    expect_key(&peer_at(set, 1)->public_key, 0xf0, 0xff);
    g_assert_false(peer_at(set, 1)->remove);
    g_assert_cmpuint(peer_at(set, 1)->allowed_ips->len, ==, 1);
    /* The same peer once more: in its turn, not joined with the first. */
    g_assert_cmpmem(&peer_at(set, 2)->public_key, WG_KEY_SIZE, &peer_at(set, 0)->public_key,
                    WG_KEY_SIZE);
    g_assert_false(peer_at(set, 2)->remove);
}

/* Lines act in their order: what stands before the replacement is replaced. */
static void test_replace_allowed_ips_in_its_place(void)
{
    g_autoptr(UapiSet) set = read_set(PEER "allowed_ip=10.0.0.1/32\nallowed_ip=10.0.0.2/32\n"
                                           "replace_allowed_ips=true\nallowed_ip=10.0.0.3/32\n");
    const UapiPeer *peer = peer_at(set, 0);

    g_assert_true(peer->replace_allowed_ips);
    g_assert_cmpuint(peer->allowed_ips->len, ==, 1);
    g_assert_cmpuint(g_array_index(peer->allowed_ips, UapiAllowedIp, 0).prefix.addr[3], ==, 3);
}

static void test_several_requests(void)
{
    g_autoptr(UapiReader) reader = uapi_reader_new();
    const char *text = "set=1\nlisten_port=1\n\nset=1\nfwmark=x\n\nget=1\n\n"
                       "set=1\nfwmark=5\n\n";
    g_autoptr(UapiSet) first = NULL;
    g_autoptr(UapiSet) last = NULL;

    g_assert_cmpint(read_one(reader, &text), ==, UAPI_SET);
    first = uapi_reader_take_set(reader);
    g_assert_true(first->has_listen_port);
    g_assert_cmpint(read_one(reader, &text), ==, UAPI_WRONG);
    g_assert_cmpint(read_one(reader, &text), ==, UAPI_GET);
    g_assert_cmpint(read_one(reader, &text), ==, UAPI_SET);
    last = uapi_reader_take_set(reader);
    g_assert_true(last->has_fwmark && !last->has_listen_port);
    g_assert_cmpint(uapi_reader_get_errno(reader, NULL), ==, 0);
}

/* A request that nobody takes is forgotten with the next, or with the reader. */
static void test_not_taken(void)
{
    g_autoptr(UapiReader) reader = uapi_reader_new();
    const char *text = "set=1\nprivate_key=" KEY_A "\n" PEER "allowed_ip=10.0.0.0/8\n\n"
                       "set=1\n" PEER "allowed_ip=10.0.0.0/8\n";
    g_autoptr(UapiSet) set = NULL;

    g_assert_cmpint(read_one(reader, &text), ==, UAPI_SET);
    g_assert_cmpint(read_one(reader, &text), ==, UAPI_MORE);
}

/* ---- What is refused ------------------------------------------------------------------------ */

static const char *const bad_device_lines[] = {
    "private_key=",
    "private_key=00",
    "private_key=" KEY_A "0",
    "private_key=" KEY_A "\r",
    "private_key=g00102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "private_key=0/0102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "private_key=00 102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e1f",
    "private_key=000102030405060708090a0b0c0d0e0f101112131415161718191a1b1c1d1e:f",
    "private_key=AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=",
    "listen_port=",
    "listen_port=65536",
    "listen_port=-1",
    "listen_port=+1",
    "listen_port= 1",
    "listen_port=1 ",
    "listen_port=1x",
    "listen_port=0x10",
    "listen_port=99999999999999999999",
    "fwmark=4294967296",
    "fwmark=-1",
    "fwmark=off",
    "fwmark=",
    "replace_peers=false",
    "replace_peers=True",
    "replace_peers=1",
    "replace_peers=",
    "public_key=",
    "public_key=zz",
    "unknown=1",
    "Private_key=" KEY_A,
    "private_key =" KEY_A,
    " listen_port=1",
    "set=1",
    "get=1",
    "errno=0",
    "=",
    "=1",
    "private_keys=" KEY_A,
    "private_ke=" KEY_A,
};

static const char *const bad_peer_lines[] = {
    "remove=false",
    "remove=",
    "update_only=false",
    "update_only=2",
    "replace_allowed_ips=no",
    "preshared_key=",
    "preshared_key=00",
    "endpoint=",
    "endpoint=192.0.2.1",
    "endpoint=gateway.example:51820",
    "persistent_keepalive_interval=",
    "persistent_keepalive_interval=65536",
    "persistent_keepalive_interval=off",
    "persistent_keepalive_interval=-25",
    "allowed_ip=",
    "allowed_ip=-",
    "allowed_ip=--10.0.0.0/8",
    "allowed_ip=+10.0.0.0/8",
    "allowed_ip=10.0.0.0/8,10.1.0.0/16",
    "unknown=1",
    "last_handshake_time_sec=0",
};

static void test_bad_values(void)
{
    for (guint i = 0; i < G_N_ELEMENTS(bad_device_lines); i++) {
        g_autofree char *lines = g_strconcat("listen_port=7\n", bad_device_lines[i], "\n", NULL);

        expect_wrong(lines, EINVAL, 3);
    }
    for (guint i = 0; i < G_N_ELEMENTS(bad_peer_lines); i++) {
        g_autofree char *lines = g_strconcat("fwmark=7\n" PEER, bad_peer_lines[i], "\n", NULL);

        expect_wrong(lines, EINVAL, 4);
    }
    expect_wrong(PEER "protocol_version=2\n", EPROTONOSUPPORT, 3);
    expect_wrong(PEER "protocol_version=\n", EPROTONOSUPPORT, 3);
    expect_wrong("listen_port\n", EPROTO, 2);
    expect_wrong("nonsense\n", EPROTO, 2);
}

/* The device's keys come before the first peer, a peer's after it. */
static void test_order(void)
{
    expect_wrong("endpoint=192.0.2.1:1\n" PEER, EINVAL, 2);
    expect_wrong("remove=true\n", EINVAL, 2);
    expect_wrong("update_only=true\n", EINVAL, 2);
    expect_wrong("preshared_key=" KEY_A "\n", EINVAL, 2);
    expect_wrong("persistent_keepalive_interval=1\n", EINVAL, 2);
    expect_wrong("replace_allowed_ips=true\n", EINVAL, 2);
    expect_wrong("allowed_ip=10.0.0.0/8\n", EINVAL, 2);
    expect_wrong("protocol_version=1\n", EINVAL, 2);
    expect_wrong(PEER "private_key=" KEY_A "\n", EINVAL, 3);
    expect_wrong(PEER "listen_port=1\n", EINVAL, 3);
    expect_wrong(PEER "fwmark=1\n", EINVAL, 3);
    expect_wrong(PEER "replace_peers=true\n", EINVAL, 3);
}

/* The first fault is the one told, and what follows is read to its end. */
static void test_first_fault(void)
{
    expect_wrong("listen_port=x\nfwmark\n" PEER "allowed_ip=nowhere\n", EINVAL, 2);
    expect_wrong("fwmark=1\nnothing\nlisten_port=x\n", EPROTO, 3);
}

static void test_not_this_protocol(void)
{
    static const char *const lines[] = {
        "", "get=2", "set=0", "set=1 ", "SET=1", "GET / HTTP/1.1", "private_key=" KEY_A,
    };

    for (guint i = 0; i < G_N_ELEMENTS(lines); i++) {
        g_autoptr(UapiReader) reader = uapi_reader_new();

        g_assert_cmpint(uapi_reader_line(reader, lines[i], strlen(lines[i])), ==, UAPI_CLOSE);
    }
}

static void test_long_line(void)
{
    g_autoptr(UapiReader) reader = uapi_reader_new();
    char line[UAPI_LINE_MAX + 1];

    memset(line, 'a', sizeof line);
    memcpy(line, "fwmark=", 7);
    g_assert_cmpint(uapi_reader_line(reader, "set=1", 5), ==, UAPI_MORE);
    g_assert_cmpint(uapi_reader_line(reader, line, UAPI_LINE_MAX), ==, UAPI_MORE);
    g_assert_cmpint(uapi_reader_line(reader, line, UAPI_LINE_MAX + 1), ==, UAPI_CLOSE);
}

static void test_nul(void)
{
    g_autoptr(UapiReader) reader = uapi_reader_new();

    g_assert_cmpint(uapi_reader_line(reader, "set=1\0", 6), ==, UAPI_CLOSE);
    g_assert_cmpint(uapi_reader_line(reader, "set=1", 5), ==, UAPI_MORE);
    g_assert_cmpint(uapi_reader_line(reader, "fwmark=1\0002", 10), ==, UAPI_CLOSE);
}

static void test_many_lines(void)
{
    g_autoptr(UapiReader) reader = uapi_reader_new();

    g_assert_cmpint(uapi_reader_line(reader, "set=1", 5), ==, UAPI_MORE);
    for (guint i = 1; i < UAPI_LINES_MAX; i++)
        g_assert_cmpint(uapi_reader_line(reader, "fwmark=1", 8), ==, UAPI_MORE);
    g_assert_cmpint(uapi_reader_line(reader, "fwmark=1", 8), ==, UAPI_CLOSE);
}

/* Whatever was sent before it, the next request starts afresh. */
static void test_afresh_after_close(void)
{
    g_autoptr(UapiReader) reader = uapi_reader_new();
    const char *text = "set=1\nfwmark=1\n";
    g_autoptr(UapiSet) set = NULL;

    g_assert_cmpint(read_one(reader, &text), ==, UAPI_MORE);
    g_assert_cmpint(uapi_reader_line(reader, "\0", 1), ==, UAPI_CLOSE);
    text = "set=1\nlisten_port=1\n\n";
    g_assert_cmpint(read_one(reader, &text), ==, UAPI_SET);
    set = uapi_reader_take_set(reader);
    g_assert_false(set->has_fwmark);
}

/* ---- Values --------------------------------------------------------------------------------- */

static void test_key(void)
{
    WgKey key;

    g_assert_true(uapi_parse_key(KEY_A, &key));
    for (guint8 i = 0; i < WG_KEY_SIZE; i++)
        g_assert_cmphex(key.bytes[i], ==, i);
    g_assert_true(uapi_parse_key(KEY_B, &key));
    expect_key(&key, 0xf0, 0xff);
    /* Each byte value in each place of a pair. */
    for (guint c = 1; c < 256; c++) {
        char text[] = KEY_A;

        text[5] = (char) c;
        g_assert_cmpint(uapi_parse_key(text, &key), ==, g_ascii_isxdigit((char) c));
        if (g_ascii_isxdigit((char) c))
            g_assert_cmphex(key.bytes[2] & 15, ==, g_ascii_xdigit_value((char) c));
        else
            g_assert_true(wg_key_is_zero(&key));
    }
}

static void test_number(void)
{
    guint64 number = 1;

    g_assert_true(uapi_parse_number("0", 0, &number));
    g_assert_cmpuint(number, ==, 0);
    g_assert_true(uapi_parse_number("007", 7, &number));
    g_assert_cmpuint(number, ==, 7);
    g_assert_false(uapi_parse_number("8", 7, &number));
    g_assert_true(uapi_parse_number("18446744073709551615", G_MAXUINT64, &number));
    g_assert_false(uapi_parse_number("18446744073709551616", G_MAXUINT64, &number));
    g_assert_false(uapi_parse_number("1e3", G_MAXUINT64, &number));
}

static void test_endpoint_ipv4(void)
{
    WgEndpoint endpoint;

    g_assert_true(uapi_parse_endpoint("192.0.2.1:65535", &endpoint));
    g_assert_cmpint(endpoint.remote.any.sa_family, ==, AF_INET);
    g_assert_cmphex(g_ntohl(endpoint.remote.in4.sin_addr.s_addr), ==, 0xc0000201);
    g_assert_cmpuint(g_ntohs(endpoint.remote.in4.sin_port), ==, 65535);
    g_assert_cmpint(endpoint.local_ifindex, ==, 0);
}

static void expect_ipv6(const char *text, const char *address, guint32 scope)
{
    WgEndpoint endpoint;
    guint8 expected[16];

    if (!uapi_parse_endpoint(text, &endpoint))
        g_error("refused: %s", text);
    g_assert_cmpint(inet_pton(AF_INET6, address, expected), ==, 1);
    g_assert_cmpint(endpoint.remote.any.sa_family, ==, AF_INET6);
    g_assert_cmpmem(&endpoint.remote.in6.sin6_addr, 16, expected, 16);
    g_assert_cmpuint(g_ntohs(endpoint.remote.in6.sin6_port), ==, 51820);
    g_assert_cmpuint(endpoint.remote.in6.sin6_scope_id, ==, scope);
}

static void test_endpoint_ipv6(void)
{
    expect_ipv6("[2001:db8::1]:51820", "2001:db8::1", 0);
    expect_ipv6("[::ffff:192.0.2.1]:51820", "::ffff:192.0.2.1", 0);
    expect_ipv6("[1111:2222:3333:4444:5555:6666:7777:8888]:51820",
                "1111:2222:3333:4444:5555:6666:7777:8888", 0);
    expect_ipv6("[fe80::1%7]:51820", "fe80::1", 7);
    expect_ipv6("[fe80::1%4294967295]:51820", "fe80::1", G_MAXUINT32);
    /* `wg` sends the name of the interface. */
    expect_ipv6("[fe80::1%lo]:51820", "fe80::1", if_nametoindex("lo"));
}

static void test_endpoint_bad(void)
{
    static const char *const texts[] = {
        "",
        ":",
        ":51820",
        "192.0.2.1:",
        "192.0.2.1:0",
        "192.0.2.1:65536",
        "192.0.2.1:-1",
        "192.0.2.1: 1",
        "192.0.2.1 :1",
        "192.0.2.1:wireguard",
        "192.0.2:1",
        "192.0.2.1.1:1",
        "192.0.2.256:1",
        "0300.0.2.1:1",
        "192.0.2.1%lo:1",
        "[192.0.2.1]:1",
        "2001:db8::1:51820",
        "[]:1",
        "[",
        "[:1",
        "]:1",
        "[::1:1",
        "::1]:1",
        "[::1]",
        "[::1]1",
        "[::1]x:1",
        "[::g]:1",
        "[fe80::1%]:1",
        "[fe80::1%0]:1",
        "[fe80::1%4294967296]:1",
        "[fe80::1%no-such-iface]:1",
        "[fe80::1%7%8]:1",
        "[1111:2222:3333:4444:5555:6666:7777:8888:9999]:1",
        "[0000000000000000000000000000000000000000000000000000000000000000000000000000::1]:1",
        "name.example:1",
        "localhost:1",
    };

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        WgEndpoint endpoint, none = {0};

        if (uapi_parse_endpoint(texts[i], &endpoint))
            g_error("not refused: %s", texts[i]);
        g_assert_cmpmem(&endpoint, sizeof endpoint, &none, sizeof none);
    }
}

static void test_prefix(void)
{
    static const struct {
        const char *text;
        int family;
        guint length;
        const char *address;
    } rows[] = {
        {"0.0.0.0/0", AF_INET, 0, "0.0.0.0"},
        {"10.1.2.3/8", AF_INET, 8, "10.1.2.3"}, /* masked where it is applied */
        {"10.1.2.3", AF_INET, 32, "10.1.2.3"},
        {"10.1.2.3/32", AF_INET, 32, "10.1.2.3"},
        {"::/0", AF_INET6, 0, "::"},
        {"fd00::1", AF_INET6, 128, "fd00::1"},
        {"fd00::1/128", AF_INET6, 128, "fd00::1"},
        {"::ffff:10.0.0.1/96", AF_INET6, 96, "::ffff:10.0.0.1"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(rows); i++) {
        guint8 expected[16] = {0};
        WgPrefix prefix;

        g_assert_true(uapi_parse_prefix(rows[i].text, &prefix));
        inet_pton(rows[i].family, rows[i].address, expected);
        g_assert_cmpint(prefix.family, ==, rows[i].family);
        g_assert_cmpuint(prefix.length, ==, rows[i].length);
        g_assert_cmpmem(prefix.addr, 16, expected, 16);
    }
}

static void test_prefix_bad(void)
{
    static const char *const texts[] = {
        "",
        "/",
        "/8",
        "10.0.0.0/",
        "10.0.0.0/33",
        "10.0.0.0/-1",
        "10.0.0/8",
        "10.0.0.0/8 ",
        " 10.0.0.0/8",
        "10.0.0.0/x",
        "010.0.0.1/8",
        "10.0.0.0/8/8",
        "::/129",
        "::/",
        "::g/64",
        "fe80::1%lo",
        "[::1]/128",
        ":/0",
        "name/8",
        "10.0.0.0/255.0.0.0",
        "1111:2222:3333:4444:5555:6666:7777:8888:9999/64",
        "0000000000000000000000000000000000000000000000000000000000::1/64",
    };

    for (guint i = 0; i < G_N_ELEMENTS(texts); i++) {
        WgPrefix prefix;

        if (uapi_parse_prefix(texts[i], &prefix))
            g_error("not refused: %s", texts[i]);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
#define ADD(name, func) g_test_add_func("/uapi/" name, func)
    ADD("get", test_get);
    ADD("set/empty", test_empty_set);
    ADD("set/device-keys", test_device_keys);
    ADD("set/device-zeros", test_device_zeros);
    ADD("set/last-value-wins", test_last_value_wins);
    ADD("set/peer-keys", test_peer_keys);
    ADD("set/peers", test_peers);
    ADD("set/replace-allowed-ips", test_replace_allowed_ips_in_its_place);
    ADD("set/several-requests", test_several_requests);
    ADD("set/not-taken", test_not_taken);
    ADD("wrong/values", test_bad_values);
    ADD("wrong/order", test_order);
    ADD("wrong/first-fault", test_first_fault);
    ADD("close/not-this-protocol", test_not_this_protocol);
    ADD("close/long-line", test_long_line);
    ADD("close/nul", test_nul);
    ADD("close/many-lines", test_many_lines);
    ADD("close/afresh", test_afresh_after_close);
    ADD("value/key", test_key);
    ADD("value/number", test_number);
    ADD("value/endpoint/ipv4", test_endpoint_ipv4);
    ADD("value/endpoint/ipv6", test_endpoint_ipv6);
    ADD("value/endpoint/bad", test_endpoint_bad);
    ADD("value/prefix", test_prefix);
    ADD("value/prefix/bad", test_prefix_bad);
    return g_test_run();
}
