/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-service-status.c: the states of a connection and of its peers, as they are told on the bus.
 * The tunnel's reports are made up, as a real gateway would take minutes to fall silent; the bus is
 * a connection between two ends in this process. The rest is tested in tests/service.
 */
#include <errno.h>
#include <sched.h>
#include <sys/socket.h>

#include "service/service-status.h"
#include "wait-until.h"

#define INTERFACE "org.freedesktop.NetworkManager.culvert.Status"

typedef struct {
    GDBusConnection *server;
    GDBusConnection *client;
    GDBusProxy *proxy;
    CulvertStatus *status;
    CulvertTunnel *tunnel;
    char gateway[WG_KEY_BASE64_SIZE];
    char other[WG_KEY_BASE64_SIZE];
} Fixture;

/* ---- The bus -------------------------------------------------------------------------------- */

static void on_connected(GObject *source, GAsyncResult *result, gpointer data)
{
    GDBusConnection **connection = data;
    g_autoptr(GError) error = NULL;

    *connection = g_dbus_connection_new_finish(result, &error);
    g_assert_no_error(error);
}

static void connect_end(int fd, const char *guid, GDBusConnection **connection)
{
    g_autoptr(GSocket) socket = g_socket_new_from_fd(fd, NULL);
    g_autoptr(GSocketConnection) stream = g_socket_connection_factory_create_connection(socket);
    GDBusConnectionFlags flags = guid ? G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_SERVER
                                      : G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT;

    g_dbus_connection_new(G_IO_STREAM(stream), guid, flags, NULL, NULL, on_connected, connection);
}

static void on_proxy(GObject *source, GAsyncResult *result, gpointer data)
{
    *(GDBusProxy **) data = g_dbus_proxy_new_finish(result, NULL);
}

/* ---- The fixture ---------------------------------------------------------------------------- */

static void add_peer(Fixture *f, char key[WG_KEY_BASE64_SIZE])
{
    WgKey private_key, public_key;

    wg_key_generate(&private_key);
    wg_key_public(&public_key, &private_key);
    wg_key_to_base64(&public_key, key);
    g_assert_true(culvert_tunnel_add_peer(f->tunnel, &public_key, NULL, NULL, 0, 0, NULL));
}

static void set_up(Fixture *f, gconstpointer unused)
{
    g_autofree char *guid = g_dbus_generate_guid();
    WgKey private_key;
    int fds[2];

    g_assert_cmpint(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), ==, 0);
    connect_end(fds[0], guid, &f->server);
    connect_end(fds[1], NULL, &f->client);
    wait_until(f->server && f->client);
    f->status = culvert_status_new(f->server, NULL);
    g_dbus_proxy_new(f->client, G_DBUS_PROXY_FLAGS_NONE, NULL, NULL, CULVERT_STATUS_PATH, INTERFACE,
                     NULL, on_proxy, &f->proxy);
    wait_until(f->proxy);

    f->tunnel = culvert_tunnel_new();
    wg_key_generate(&private_key);
    culvert_tunnel_set_private_key(f->tunnel, &private_key);
    add_peer(f, f->gateway);
    add_peer(f, f->other);
    culvert_status_follow(f->status, f->tunnel, "office", NULL);
}

static void tear_down(Fixture *f, gconstpointer unused)
{
    g_assert_finalize_object(f->status);
    culvert_tunnel_stop(f->tunnel);
    g_assert_finalize_object(f->tunnel);
    g_object_unref(f->proxy);
    g_dbus_connection_close_sync(f->client, NULL, NULL);
    g_object_unref(f->client);
    g_object_unref(f->server);
}

/* The tunnel reports "handshake", "attempt" or "silent" of a peer at 192.0.2.1. */
static void report(Fixture *f, const char *signal, const char *peer)
{
    g_autoptr(GSocketAddress) endpoint = g_inet_socket_address_new_from_string("192.0.2.1", 51820);

    if (g_str_equal(signal, "silent"))
        g_signal_emit_by_name(f->tunnel, signal, peer);
    else if (g_str_equal(signal, "attempt"))
        g_signal_emit_by_name(f->tunnel, signal, peer, "gateway.example:51820", endpoint, NULL);
    else
        g_signal_emit_by_name(f->tunnel, signal, peer, endpoint);
}

static void attach_device(Fixture *f)
{
    const CulvertTunOptions options = CULVERT_TUN_OPTIONS_INIT;
    CulvertTun *tun = culvert_tun_open(&options, NULL);

    g_assert_nonnull(tun);
    culvert_tunnel_attach(f->tunnel, tun);
}

static gboolean is_state(Fixture *f, const char *state)
{
    g_autoptr(GVariant) value = g_dbus_proxy_get_cached_property(f->proxy, "State");

    return g_str_equal(g_variant_get_string(value, NULL), state);
}

/* Waits for PropertiesChanged to say so. */
static void wait_state(Fixture *f, const char *state)
{
    wait_until(is_state(f, state));
}

static gint64 get_since(Fixture *f)
{
    g_autoptr(GVariant) value = g_dbus_proxy_get_cached_property(f->proxy, "Since");

    return (gint64) g_variant_get_uint64(value);
}

static gboolean peer_is(Fixture *f, guint i, const char *expected)
{
    g_autoptr(GVariant) peers = g_dbus_proxy_get_cached_property(f->proxy, "Peers");
    g_autoptr(GVariant) peer = NULL;
    const char *state;

    if (g_variant_n_children(peers) <= i)
        return FALSE;
    peer = g_variant_get_child_value(peers, i);
    g_assert_true(g_variant_lookup(peer, "state", "&s", &state));
    return g_str_equal(state, expected);
}

static void assert_peers(Fixture *f, const char *gateway, const char *other)
{
    g_assert_true(peer_is(f, 0, gateway));
    g_assert_true(peer_is(f, 1, other));
}

/* ---- Tests ---------------------------------------------------------------------------------- */

static void test_silent(Fixture *f, gconstpointer unused)
{
    gint64 silent_since;

    wait_state(f, "connecting");
    assert_peers(f, "connecting", "connecting");
    attach_device(f);
    report(f, "handshake", f->gateway);
    wait_state(f, "connected");
    assert_peers(f, "connected", "connecting");

    report(f, "silent", f->gateway);
    wait_state(f, "silent");
    assert_peers(f, "silent", "connecting");
    silent_since = get_since(f);
    g_assert_cmpint(ABS(g_get_real_time() / G_USEC_PER_SEC - 90 - silent_since), <=, 10);
    report(f, "attempt", f->gateway); /* not a sign of life */
    report(f, "silent", f->gateway);
    report(f, "handshake", f->gateway);
    wait_state(f, "connected");
    g_assert_cmpint(get_since(f), >, silent_since);
}

/* The connection is as the peer that answered first. */
static void test_other_peer(Fixture *f, gconstpointer unused)
{
    attach_device(f);
    report(f, "handshake", f->gateway);
    report(f, "attempt", f->other);
    report(f, "silent", f->other);
    wait_state(f, "connected");
    assert_peers(f, "connected", "silent");
    report(f, "handshake", f->other);
    report(f, "silent", f->gateway);
    wait_state(f, "silent");
    assert_peers(f, "silent", "connected");
}

/* An answer is not enough: without a device nothing is connected. */
static void test_no_device(Fixture *f, gconstpointer unused)
{
    report(f, "handshake", f->gateway);
    wait_until(peer_is(f, 0, "connected"));
    wait_state(f, "connecting");
    assert_peers(f, "connected", "connecting");
}

static void test_unfollow(Fixture *f, gconstpointer unused)
{
    wait_state(f, "connecting");
    culvert_status_unfollow(f->status);
    wait_state(f, "idle");
    g_assert_cmpint(get_since(f), ==, 0);
    /* What the tunnel still says is of no interest. */
    report(f, "handshake", f->gateway);
    culvert_status_unfollow(f->status);
    while (g_main_context_iteration(NULL, FALSE))
        continue;
    wait_state(f, "idle");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (unshare(CLONE_NEWNET) != 0)
        g_error("Cannot make a network namespace (%s): run this test as root", g_strerror(errno));

#define ADD(name, func) g_test_add("/service-status/" name, Fixture, NULL, set_up, func, tear_down)
    ADD("silent", test_silent);
    ADD("other-peer", test_other_peer);
    ADD("no-device", test_no_device);
    ADD("unfollow", test_unfollow);
    return g_test_run();
}
