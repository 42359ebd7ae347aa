/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-editor-status.c: an editor follows a connection's status, on a bus of its own with services
 * that the test plays.
 */
#include <gio/gio.h>

#include "editor-status.h"
#include "service-status-dbus.h"

#define SERVICE "org.freedesktop.NetworkManager.culvert"
#define PATH    "/org/freedesktop/NetworkManager/culvert/Status"
#define UUID    "b2b4ea46-5c66-4d3c-9d2b-2b4d5d3f7f01"

/* One service, on a connection of its own as if it were another process. */
typedef struct {
    GDBusConnection *bus;
    CulvertDBusStatus *skeleton;
    guint name_id;
    const char *uuid;
    const char *endpoint; /* in use; NULL: that of a peer */
    guint64 rx;
} Service;

static GTestDBus *test_bus;
static guint n_changes;

static GDBusConnection *connect_to_bus(void)
{
    g_autoptr(GError) error = NULL;
    GDBusConnection *bus =
        g_dbus_connection_new_for_address_sync(g_test_dbus_get_bus_address(test_bus),
                                               G_DBUS_CONNECTION_FLAGS_AUTHENTICATION_CLIENT |
                                                   G_DBUS_CONNECTION_FLAGS_MESSAGE_BUS_CONNECTION,
                                               NULL, NULL, &error);

    g_assert_no_error(error);
    return bus;
}

static gboolean on_get_status(CulvertDBusStatus *skeleton, GDBusMethodInvocation *invocation,
                              gpointer user_data)
{
    Service *service = user_data;
    GVariantBuilder peers;
    GVariantDict peer;
    GVariantDict dict;

    g_variant_dict_init(&dict, NULL);
    g_variant_dict_insert(&dict, "uuid", "s", service->uuid);
    g_variant_dict_insert(&dict, "state", "s", "connected");
    g_variant_dict_insert(&dict, "since", "t", (guint64) 1700000000);
    g_variant_dict_insert(&dict, "endpoint", "s",
                          service->endpoint ? service->endpoint : "192.0.2.1:51820");
    g_variant_dict_insert(&dict, "rx-bytes", "t", service->rx);
    g_variant_dict_insert(&dict, "tx-bytes", "t", (guint64) 7);
    g_variant_builder_init(&peers, G_VARIANT_TYPE("aa{sv}"));
    g_variant_dict_init(&peer, NULL);
    g_variant_dict_insert(&peer, "endpoint", "s", "192.0.2.9:1");
    g_variant_dict_insert(&peer, "last-handshake-age", "t", (guint64) 1);
    g_variant_builder_add_value(&peers, g_variant_dict_end(&peer));
    g_variant_dict_init(&peer, NULL);
    g_variant_dict_insert(&peer, "endpoint", "s", "192.0.2.1:51820");
    g_variant_dict_insert(&peer, "endpoint-name", "s", "vpn.example:51820");
    g_variant_dict_insert(&peer, "last-handshake-age", "t", (guint64) 42);
    g_variant_builder_add_value(&peers, g_variant_dict_end(&peer));
    culvert_dbus_status_complete_get_status(skeleton, invocation, g_variant_dict_end(&dict),
                                            g_variant_builder_end(&peers));
    service->rx += 100000;
    return G_DBUS_METHOD_INVOCATION_HANDLED;
}

static void count(GDBusConnection *bus, const char *name, gpointer user_data)
{
    (*(guint *) user_data)++;
}

static void start(Service *service, const char *name, const char *uuid)
{
    g_autoptr(GError) error = NULL;
    guint owned = 0;

    service->bus = connect_to_bus();
    service->uuid = uuid;
    service->rx = 1000;
    service->skeleton = culvert_dbus_status_skeleton_new();
    g_signal_connect(service->skeleton, "handle-get-status", G_CALLBACK(on_get_status), service);
    g_dbus_interface_skeleton_export(G_DBUS_INTERFACE_SKELETON(service->skeleton), service->bus,
                                     PATH, &error);
    g_assert_no_error(error);
    service->name_id =
        g_bus_own_name_on_connection(service->bus, name, 0, count, NULL, &owned, NULL);
    while (owned == 0)
        g_main_context_iteration(NULL, TRUE);
}

static void announce(Service *service)
{
    g_object_set(service->skeleton, "uuid", service->uuid, NULL);
    g_dbus_interface_skeleton_flush(G_DBUS_INTERFACE_SKELETON(service->skeleton));
}

static void stop(Service *service)
{
    g_bus_unown_name(service->name_id);
    g_dbus_interface_skeleton_unexport(G_DBUS_INTERFACE_SKELETON(service->skeleton));
    g_dbus_connection_close_sync(service->bus, NULL, NULL);
    g_clear_object(&service->skeleton);
    g_clear_object(&service->bus);
}

static void on_changed(gpointer user_data)
{
    n_changes++;
}

static void wait_for_change(void)
{
    guint before = n_changes;

    while (n_changes == before)
        g_main_context_iteration(NULL, TRUE);
}

static CulvertEditorStatus *follow(GDBusConnection *bus)
{
    return culvert_editor_status_new(bus, UUID, on_changed, NULL);
}

/* It is there already, beside another connection's. */
static void test_found(void)
{
    g_autoptr(GDBusConnection) bus = connect_to_bus();
    g_autoptr(CulvertEditorStatus) status = NULL;
    const CulvertStatusRate *rates;
    const CulvertStatusNow *now;
    Service other = {0};
    Service service = {0};
    guint n;

    start(&other, SERVICE ".Connection_1", "another");
    start(&service, SERVICE ".Connection_2", UUID);
    status = follow(bus);
    g_assert_null(culvert_editor_status_get(status));
    wait_for_change();
    now = culvert_editor_status_get(status);
    g_assert_cmpstr(now->state, ==, "connected");
    g_assert_cmpint(now->since, ==, 1700000000);
    g_assert_cmpstr(now->endpoint, ==, "192.0.2.1:51820");
    g_assert_cmpstr(now->endpoint_name, ==, "vpn.example:51820");
    g_assert_cmpint(now->handshake_age, ==, 42);
    g_assert_cmpuint(now->rx_bytes, ==, 1000);
    g_assert_cmpuint(now->tx_bytes, ==, 7);
    culvert_editor_status_get_rates(status, &n);
    g_assert_cmpuint(n, ==, 0);

    wait_for_change();
    rates = culvert_editor_status_get_rates(status, &n);
    g_assert_cmpuint(n, ==, 1);
    g_assert_cmpfloat(rates[0].rx, >, 10000);
    g_assert_cmpfloat(rates[0].rx, <, 200000);
    g_assert_cmpfloat(rates[0].tx, ==, 0);
    stop(&service);
    stop(&other);
}

/* The endpoint in use is no peer's any more, or not yet. */
static void test_no_peer(void)
{
    g_autoptr(GDBusConnection) bus = connect_to_bus();
    g_autoptr(CulvertEditorStatus) status = NULL;
    Service service = {.endpoint = "198.51.100.1:1"};
    const CulvertStatusNow *now;

    start(&service, SERVICE ".Connection_3", UUID);
    status = follow(bus);
    wait_for_change();
    now = culvert_editor_status_get(status);
    g_assert_cmpstr(now->endpoint, ==, "198.51.100.1:1");
    g_assert_cmpstr(now->endpoint_name, ==, "");
    g_assert_cmpint(now->handshake_age, ==, -1);
    stop(&service);
}

/* It comes, goes, and comes again. */
static void test_comes_and_goes(void)
{
    g_autoptr(GDBusConnection) bus = connect_to_bus();
    g_autoptr(CulvertEditorStatus) status = follow(bus);

    for (guint i = 0; i < 2; i++) {
        Service service = {0};

        start(&service, SERVICE ".Connection_7", UUID);
        announce(&service);
        wait_for_change();
        g_assert_nonnull(culvert_editor_status_get(status));
        stop(&service);
        wait_for_change();
        g_assert_null(culvert_editor_status_get(status));
    }
}

/* The process lives on with another connection. */
static void test_another_connection(void)
{
    g_autoptr(GDBusConnection) bus = connect_to_bus();
    g_autoptr(CulvertEditorStatus) status = NULL;
    Service service = {0};

    start(&service, SERVICE ".Connection_7", UUID);
    status = follow(bus);
    wait_for_change();
    service.uuid = "another";
    wait_for_change();
    g_assert_null(culvert_editor_status_get(status));
    stop(&service);
}

/* Only names that the bus gives to root: a stranger's signal is a reason to look, no more. */
static void test_stranger(void)
{
    g_autoptr(GDBusConnection) bus = connect_to_bus();
    g_autoptr(CulvertEditorStatus) status = follow(bus);
    Service stranger = {0};
    Service service = {0};

    start(&stranger, SERVICE "x.Connection_1", UUID);
    announce(&stranger);
    start(&service, SERVICE ".Connection_1", UUID);
    service.rx = 5;
    announce(&service);
    wait_for_change();
    g_assert_cmpuint(culvert_editor_status_get(status)->rx_bytes, ==, 5);
    g_assert_cmpuint(stranger.rx, ==, 1000);
    stop(&service);
    stop(&stranger);
}

/* An answer that is under way when the editor ends. */
static void test_free(void)
{
    g_autoptr(GDBusConnection) bus = connect_to_bus();
    Service service = {0};

    start(&service, SERVICE ".Connection_1", UUID);
    culvert_editor_status_free(follow(bus));
    culvert_editor_status_free(culvert_editor_status_new(NULL, UUID, on_changed, NULL));
    while (g_main_context_iteration(NULL, FALSE)) {
    }
    stop(&service);
}

int main(int argc, char **argv)
{
    int result;

    g_test_init(&argc, &argv, NULL);
    test_bus = g_test_dbus_new(G_TEST_DBUS_NONE);
    g_test_dbus_up(test_bus);
    g_setenv("DBUS_SYSTEM_BUS_ADDRESS", g_test_dbus_get_bus_address(test_bus), TRUE);
    g_test_add_func("/editor-status/found", test_found);
    g_test_add_func("/editor-status/no-peer", test_no_peer);
    g_test_add_func("/editor-status/comes-and-goes", test_comes_and_goes);
    g_test_add_func("/editor-status/another-connection", test_another_connection);
    g_test_add_func("/editor-status/stranger", test_stranger);
    g_test_add_func("/editor-status/free", test_free);
    result = g_test_run();
    g_test_dbus_down(test_bus);
    g_object_unref(test_bus);
    return result;
}
