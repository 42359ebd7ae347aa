/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-service-connection.c: what a connection does when the tunnel reports something. The reports
 * are made up, as a real gateway would take minutes to fall silent; the rest is tested in
 * tests/service with one.
 */
#include <errno.h>
#include <sched.h>

#include "service/culvert-connection.c" /* for its tunnel */

#define UUID    "df99ce40-3b45-4b6f-9d4c-0e3f1a5a7a0d"
#define NOWHERE "127.0.0.1:9" /* nothing listens at the port "discard" */

typedef struct {
    CulvertConnection *connection;
    char gateway[WG_KEY_BASE64_SIZE];
    char other[WG_KEY_BASE64_SIZE];
    guint ready;
    guint changed;
    guint failed;
    guint attempts;
} Fixture;

static GString *captured;

static GLogWriterOutput capture(GLogLevelFlags level, const GLogField *fields, gsize n_fields,
                                gpointer user_data)
{
    for (gsize i = 0; i < n_fields; i++) {
        if (g_str_equal(fields[i].key, "MESSAGE") && level & G_LOG_LEVEL_WARNING)
            g_string_append_printf(captured, "%s\n", (const char *) fields[i].value);
    }
    return G_LOG_WRITER_HANDLED;
}

static void count(guint *counter)
{
    ++*counter;
}

static void count_failure(CulvertConnection *connection, const GError *error, guint *counter)
{
    ++*counter;
}

static void count_attempt(CulvertTunnel *tunnel, const char *peer, const char *name,
                          GInetSocketAddress *endpoint, const GError *error, guint *counter)
{
    ++*counter;
}

/* The linker puts the first one in the place of culvert_tunnel_check_network(), and the second one
 * is that itself: see ld(1), --wrap. */
void __wrap_culvert_tunnel_check_network(CulvertTunnel *tunnel);
void __real_culvert_tunnel_check_network(CulvertTunnel *tunnel);

static guint checks;

void __wrap_culvert_tunnel_check_network(CulvertTunnel *tunnel)
{
    checks++;
    __real_culvert_tunnel_check_network(tunnel);
}

static void add_peer(CulvertProfile *profile, const char *endpoint, char key[WG_KEY_BASE64_SIZE])
{
    CulvertProfilePeer *peer = culvert_profile_add_peer(profile);
    WgKey private_key;

    wg_key_generate(&private_key);
    wg_key_public(&peer->public_key, &private_key);
    wg_key_to_base64(&peer->public_key, key);
    if (endpoint)
        g_ptr_array_add(peer->endpoints, g_strdup(endpoint));
}

static void set_up(Fixture *f, gconstpointer endpoint)
{
    CulvertProfile *profile = culvert_profile_new();
    WgPrefix address = {.addr = {10, 0, 0, 2}, .family = AF_INET, .length = 24};
    WgKey private_key;

    g_string_truncate(captured, 0);
    wg_key_generate(&private_key);
    profile->private_key = wg_secret_key_copy(&private_key);
    g_array_append_val(profile->addresses, address);
    add_peer(profile, endpoint, f->gateway);
    add_peer(profile, NULL, f->other);

    f->connection = culvert_connection_new(profile, "office", UUID, "office0", 0, FALSE);
    g_signal_connect_swapped(f->connection, "ready", G_CALLBACK(count), &f->ready);
    g_signal_connect_swapped(f->connection, "config-changed", G_CALLBACK(count), &f->changed);
    g_signal_connect(f->connection, "failed", G_CALLBACK(count_failure), &f->failed);
    g_assert_true(culvert_connection_start(f->connection, NULL));
    g_signal_connect(f->connection->tunnel, "attempt", G_CALLBACK(count_attempt), &f->attempts);
}

static void tear_down(Fixture *f, gconstpointer endpoint)
{
    culvert_connection_stop(f->connection);
    g_assert_cmpuint(if_nametoindex("office0"), ==, 0);
    g_assert_finalize_object(f->connection);
}

/* The tunnel reports "handshake", "endpoint-changed" or "attempt" of a peer at `address`. */
static void report(Fixture *f, const char *signal, const char *peer, const char *address)
{
    g_autoptr(GSocketAddress) endpoint = g_inet_socket_address_new_from_string(address, 51820);

    if (g_str_equal(signal, "attempt"))
        g_signal_emit_by_name(f->connection->tunnel, signal, peer, "gateway.example:51820",
                              endpoint, NULL);
    else
        g_signal_emit_by_name(f->connection->tunnel, signal, peer, endpoint);
}

static void assert_gateway(Fixture *f, const char *address)
{
    g_autoptr(GVariant) config = culvert_connection_build_config(f->connection);
    g_autoptr(GInetAddress) gateway = g_inet_address_new_from_string(address);
    guint32 number;

    g_assert_true(g_variant_lookup(config, "gateway", "u", &number));
    g_assert_cmpmem(&number, sizeof(number), g_inet_address_to_bytes(gateway), 4);
}

static void test_ready_once(Fixture *f, gconstpointer endpoint)
{
    g_assert_cmpuint(if_nametoindex("office0"), ==, 0);
    report(f, "handshake", f->gateway, "192.0.2.1");
    g_assert_cmpuint(if_nametoindex("office0"), !=, 0);
    assert_gateway(f, "192.0.2.1");
    report(f, "handshake", f->gateway, "192.0.2.1");
    report(f, "handshake", f->other, "192.0.2.2");
    g_assert_cmpuint(f->ready, ==, 1);
    g_assert_cmpuint(f->changed, ==, 0);
    assert_gateway(f, "192.0.2.1");
}

/* Of all peers, NetworkManager is told where the one is that answered first. */
static void test_gateway(Fixture *f, gconstpointer endpoint)
{
    report(f, "attempt", f->gateway, "192.0.2.7");
    g_assert_cmpuint(f->changed, ==, 0);
    report(f, "handshake", f->gateway, "192.0.2.1");
    report(f, "endpoint-changed", f->gateway, "192.0.2.3");
    g_assert_cmpuint(f->changed, ==, 1);
    assert_gateway(f, "192.0.2.3");
    report(f, "endpoint-changed", f->gateway, "192.0.2.3");
    report(f, "endpoint-changed", f->other, "192.0.2.4");
    report(f, "attempt", f->other, "192.0.2.5");
    g_assert_cmpuint(f->changed, ==, 1);
    /* Where it is only looked for is nothing to NetworkManager. */
    report(f, "attempt", f->gateway, "192.0.2.6");
    g_assert_cmpuint(f->changed, ==, 1);
    assert_gateway(f, "192.0.2.3");
    report(f, "handshake", f->gateway, "192.0.2.1");
    g_assert_cmpuint(f->changed, ==, 2);
    assert_gateway(f, "192.0.2.1");
}

/* A silent gateway is looked for again, from its endpoints' names on; a peer without any cannot
 * be. */
static void test_silent(Fixture *f, gconstpointer endpoint)
{
    report(f, "handshake", f->gateway, "192.0.2.1");
    culvert_tunnel_dial(
        f->connection->tunnel,
        &((CulvertProfilePeer *) f->connection->profile->peers->pdata[0])->public_key,
        (const char *const[]){NULL});
    g_signal_emit_by_name(f->connection->tunnel, "silent", f->other);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    g_assert_cmpuint(f->attempts, ==, 0);
    g_signal_emit_by_name(f->connection->tunnel, "silent", f->gateway);
    while (f->attempts == 0)
        g_main_context_iteration(NULL, TRUE);
    g_assert_nonnull(g_strstr_len(captured->str, -1, "has not answered for 90 seconds"));
}

/* The reasons to look for the gateway anew, besides. */
static void test_looked_for(Fixture *f, gconstpointer endpoint)
{
    static const char *const REASONS[] = {"network-changed", "resumed"};

    report(f, "handshake", f->gateway, "192.0.2.1");
    for (guint i = 0; i < G_N_ELEMENTS(REASONS); i++) {
        guint before = f->attempts;

        g_signal_emit_by_name(f->connection->tunnel, REASONS[i]);
        while (f->attempts == before)
            g_main_context_iteration(NULL, TRUE);
    }
    for (guint count = 2; count <= 3; count++) {
        culvert_tunnel_dial(
            f->connection->tunnel,
            &((CulvertProfilePeer *) f->connection->profile->peers->pdata[0])->public_key,
            (const char *const[]){NULL});
        f->attempts = 0;
        g_signal_emit_by_name(f->connection->tunnel, "unanswered", f->gateway, count);
        while (g_main_context_iteration(NULL, FALSE) || (count == 3 && f->attempts == 0))
            continue;
        g_assert_cmpuint(f->attempts > 0, ==, count == 3);
    }
}

/* What GNetworkMonitor tells of makes the tunnel look at its routes: while there is a gateway to
 * look for, and not after the connection. */
static void test_monitor(Fixture *f, gconstpointer endpoint)
{
    GNetworkMonitor *monitor = g_network_monitor_get_default();
    guint id;

    report(f, "handshake", f->gateway, "192.0.2.1");
    checks = 0;
    for (guint i = 1; i <= 2; i++) {
        g_signal_emit_by_name(monitor, "network-changed", i == 2);
        g_assert_cmpuint(checks, ==, i);
    }
    culvert_connection_stop(f->connection);
    id = g_signal_lookup("network-changed", G_TYPE_NETWORK_MONITOR);
    g_assert_cmpuint(g_signal_handler_find(monitor, G_SIGNAL_MATCH_ID, id, 0, NULL, NULL, NULL), ==,
                     0);
}

/* A gateway that stays silent ends the connection, unless that is to persist or it comes back. */
static void test_gone(Fixture *f, gconstpointer endpoint)
{
    culvert_watch_grace_seconds = 1;
    report(f, "handshake", f->gateway, "192.0.2.1");
    g_signal_emit_by_name(f->connection->tunnel, "silent", f->other);
    g_assert_false(culvert_watch_is_ending(f->connection->watch));
    g_signal_emit_by_name(f->connection->tunnel, "silent", f->gateway);
    g_assert_true(culvert_watch_is_ending(f->connection->watch));
    report(f, "handshake", f->gateway, "192.0.2.1");
    g_assert_false(culvert_watch_is_ending(f->connection->watch));
    culvert_watch_set_persistent(f->connection->watch, TRUE);
    g_signal_emit_by_name(f->connection->tunnel, "silent", f->gateway);
    g_assert_false(culvert_watch_is_ending(f->connection->watch));
    culvert_watch_set_persistent(f->connection->watch, FALSE);
    g_signal_emit_by_name(f->connection->tunnel, "silent", f->gateway);
    while (f->failed == 0)
        g_main_context_iteration(NULL, TRUE);
    g_assert_nonnull(g_strstr_len(captured->str, -1, "set vpn.persistent=yes in the profile"));
    g_assert_nonnull(g_strstr_len(captured->str, -1, "127.0.0.1:9: tried"));
}

/* It is reported from the main loop, once, and what comes after changes nothing. */
static void test_failed(Fixture *f, gconstpointer endpoint)
{
    g_autoptr(GError) error = g_error_new(G_IO_ERROR, G_IO_ERROR_FAILED, "the sky fell");

    g_signal_emit_by_name(f->connection->tunnel, "failed", error);
    g_signal_emit_by_name(f->connection->tunnel, "failed", error);
    g_assert_cmpuint(f->failed, ==, 0);
    report(f, "handshake", f->gateway, "192.0.2.1");
    while (f->failed == 0)
        g_main_context_iteration(NULL, TRUE);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    g_assert_cmpuint(f->failed, ==, 1);
    g_assert_cmpuint(f->ready, ==, 0);
    g_assert_nonnull(g_strstr_len(captured->str, -1, "“office” failed: the sky fell"));
}

/* NetworkManager's own timeout, if the profile has one, must not be the first to expire. */
static void test_deadline(void)
{
    g_assert_cmpuint(choose_deadline(0), ==, 18);
    g_assert_cmpuint(choose_deadline(60), ==, 18);
    g_assert_cmpuint(choose_deadline(20), ==, 18);
    g_assert_cmpuint(choose_deadline(19), ==, 17);
    g_assert_cmpuint(choose_deadline(3), ==, 1);
    g_assert_cmpuint(choose_deadline(1), ==, 1);
}

static void test_duration(void)
{
    static const struct {
        gint64 seconds;
        const char *text;
    } CASES[] = {
        {0, "0 s"},
        {59, "59 s"},
        {60, "1 min 0 s"},
        {3599, "59 min 59 s"},
        {3600, "1 h 0 min"},
        {86399, "23 h 59 min"},
        {2 * 86400 + 5 * 3600, "2 d 5 h"},
    };

    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autofree char *text = describe_duration(CASES[i].seconds * G_USEC_PER_SEC);

        g_assert_cmpstr(text, ==, CASES[i].text);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_setenv("CULVERT_UAPI", "off", TRUE); /* its path is the whole machine's */
    if (unshare(CLONE_NEWNET) != 0)
        g_error("Cannot make a network namespace (%s): run this test as root", g_strerror(errno));
    captured = g_string_new(NULL);
    g_log_set_writer_func(capture, NULL, NULL);

#define ADD(name, endpoint, func)                                                                  \
    g_test_add("/service-connection/" name, Fixture, endpoint, set_up, func, tear_down)
    ADD("ready-once", NULL, test_ready_once);
    ADD("gateway", NULL, test_gateway);
    ADD("silent", NOWHERE, test_silent);
    ADD("looked-for", NOWHERE, test_looked_for);
    ADD("monitor", NOWHERE, test_monitor);
    ADD("gone", NOWHERE, test_gone);
    ADD("failed", NULL, test_failed);
    g_test_add_func("/service-connection/deadline", test_deadline);
    g_test_add_func("/service-connection/duration", test_duration);
    int status = g_test_run();
    g_string_free(captured, TRUE);
    return status;
}
