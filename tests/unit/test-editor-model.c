/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-editor-model.c: the editors' form without a display: filled from a connection and a .conf,
 * checked as it is typed, saved.
 */
#include <NetworkManager.h>
#include <glib/gstdio.h>
#include <string.h>

#include "editor-model.h"
#include "profile/culvert-import.h"

#define PRIVATE_KEY  "SIZkLX+Aq6521/nTXd1JDzjHC81fu/s/rLZAIxslXl0="
#define PUBLIC_KEY   "5vtkpwX4FIP/yorgHPWNQFz9TVk0pN0PHVTT3pZArwQ="
#define GATEWAY_KEY  "kCz6uhX3TUT0jxpTy7Z5gcDrQtG/GGuk9HJpHcfv2Ho="
#define GATEWAY_KEY2 "AhLQgyYVRPxXxT+a2e0QvWzJpJvLRb5gTNwC1GMZ9HE="
#define PRESHARED    "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE="

#define G(field)    culvert_editor_model_get(model, CULVERT_FIELD_##field, 0)
#define S(field, t) culvert_editor_model_set(model, CULVERT_FIELD_##field, 0, t)

static NMConnection *new_connection(void)
{
    NMConnection *connection = nm_simple_connection_new();
    NMSetting *general = nm_setting_connection_new();
    NMSetting *vpn = nm_setting_vpn_new();

    g_object_set(general, NM_SETTING_CONNECTION_ID, "office", NULL);
    g_object_set(vpn, NM_SETTING_VPN_SERVICE_TYPE, CULVERT_VPN_SERVICE, NULL);
    nm_connection_add_setting(connection, general);
    nm_connection_add_setting(connection, vpn);
    return connection;
}

/* Pairs of a key and its value; "!" before the key: a secret. */
static NMConnection *connection_with(const char *const *pairs)
{
    NMConnection *connection = new_connection();
    NMSettingVpn *vpn = nm_connection_get_setting_vpn(connection);

    for (guint i = 0; pairs[i]; i += 2) {
        if (pairs[i][0] == '!')
            nm_setting_vpn_add_secret(vpn, pairs[i] + 1, pairs[i + 1]);
        else
            nm_setting_vpn_add_data_item(vpn, pairs[i], pairs[i + 1]);
    }
    return connection;
}

static const char *item(NMConnection *connection, const char *key)
{
    NMSettingVpn *vpn = nm_connection_get_setting_vpn(connection);

    return key[0] == '!' ? nm_setting_vpn_get_secret(vpn, key + 1)
                         : nm_setting_vpn_get_data_item(vpn, key);
}

static CulvertEditorModel *load(NMConnection *connection)
{
    CulvertEditorModel *model = culvert_editor_model_new();

    culvert_editor_model_load(model, connection);
    return model;
}

static void save(CulvertEditorModel *model, NMConnection *connection)
{
    g_autoptr(GError) error = NULL;

    culvert_editor_model_save(model, connection, &error);
    g_assert_no_error(error);
}

static void assert_not_saved(CulvertEditorModel *model, const char *message)
{
    g_autoptr(NMConnection) connection = new_connection();
    g_autoptr(NMConnection) before = nm_simple_connection_new_clone(connection);
    g_autoptr(GError) error = NULL;

    g_assert_false(culvert_editor_model_save(model, connection, &error));
    g_assert_cmpstr(error->message, ==, message);
    g_assert_true(nm_connection_compare(connection, before, NM_SETTING_COMPARE_FLAG_EXACT));
}

static void fill_in(CulvertEditorModel *model)
{
    S(ENDPOINT, "vpn.example:51820");
    S(PUBLIC_KEY, GATEWAY_KEY);
    S(PRIVATE_KEY, PRIVATE_KEY);
    S(ADDRESS, "10.8.0.2/24");
    S(ALLOWED_IPS, "10.8.0.0/24");
}

static const char *const EVERYTHING[] = {
    "address",
    "10.8.0.2/24;fd08::2/64",
    "allowed-ips",
    "10.8.0.0/24;fd08::/64",
    "device-type",
    "tap",
    "kill-switch",
    "allow-local",
    "dns",
    "10.8.0.1;~",
    "endpoint",
    "vpn.example:51820;192.0.2.1:443",
    "fwmark",
    "0xca6c",
    "listen-port",
    "51821",
    "mtu",
    "1380",
    "persistent-keepalive",
    "25",
    "preshared-key-flags",
    "1",
    "private-key-flags",
    "1",
    "tap-address",
    "10.20.0.2/24;fd20::2/64",
    "tun-group",
    "kvm",
    "tun-user",
    "1000",
    "vxlan-id",
    "42",
    "vxlan-remote",
    "10.8.0.1",
    "public-key",
    GATEWAY_KEY,
    "peer2-public-key",
    GATEWAY_KEY2,
    "peer2-allowed-ips",
    "0.0.0.0/0;::/0",
    "!private-key",
    PRIVATE_KEY,
    "!preshared-key",
    PRESHARED,
    NULL,
};

/* Every setting is in the form, and an untouched form changes nothing. */
static void test_round_trip(void)
{
    g_autoptr(NMConnection) connection = connection_with(EVERYTHING);
    g_autoptr(NMConnection) before = NULL;
    g_autoptr(CulvertEditorModel) model = NULL;

    g_object_set(nm_connection_get_setting_connection(connection),
                 NM_SETTING_CONNECTION_INTERFACE_NAME, "work0", NULL);
    before = nm_simple_connection_new_clone(connection);
    model = load(connection);
    g_assert_cmpstr(G(ENDPOINT), ==, "vpn.example:51820");
    g_assert_cmpstr(G(FURTHER_ENDPOINTS), ==, "192.0.2.1:443");
    g_assert_cmpstr(G(PUBLIC_KEY), ==, GATEWAY_KEY);
    g_assert_cmpstr(G(ALLOWED_IPS), ==, "10.8.0.0/24, fd08::/64");
    g_assert_cmpstr(G(PRESHARED_KEY), ==, PRESHARED);
    g_assert_cmpstr(G(KEEPALIVE), ==, "25");
    g_assert_cmpstr(G(PRIVATE_KEY), ==, PRIVATE_KEY);
    g_assert_cmpstr(G(ADDRESS), ==, "10.8.0.2/24, fd08::2/64");
    g_assert_cmpstr(G(DNS), ==, "10.8.0.1, ~");
    g_assert_cmpstr(G(MTU), ==, "1380");
    g_assert_cmpstr(G(LISTEN_PORT), ==, "51821");
    g_assert_cmpstr(G(FWMARK), ==, "0xca6c");
    g_assert_cmpstr(G(DEVICE_TYPE), ==, "tap");
    g_assert_cmpstr(G(KILL_SWITCH), ==, "allow-local");
    g_assert_cmpstr(G(TAP_ADDRESS), ==, "10.20.0.2/24, fd20::2/64");
    g_assert_cmpstr(G(VXLAN_ID), ==, "42");
    g_assert_cmpstr(G(VXLAN_REMOTE), ==, "10.8.0.1");
    g_assert_cmpstr(G(BRIDGE), ==, "");
    g_assert_cmpstr(G(INTERFACE_NAME), ==, "work0");
    g_assert_cmpuint(culvert_editor_model_get_n_peers(model), ==, 2);
    g_assert_false(culvert_editor_model_get_all_traffic(model, 0));
    g_assert_true(culvert_editor_model_get_all_traffic(model, 1));

    save(model, connection);
    g_assert_true(nm_connection_compare(connection, before, NM_SETTING_COMPARE_FLAG_EXACT));
    save(model, connection);
    g_assert_true(nm_connection_compare(connection, before, NM_SETTING_COMPARE_FLAG_EXACT));
}

static void test_new(void)
{
    g_autoptr(NMConnection) connection = new_connection();
    g_autoptr(CulvertEditorModel) model = load(connection);

    g_assert_cmpuint(culvert_editor_model_get_n_peers(model), ==, 1);
    g_assert_cmpuint(culvert_editor_model_get_flags(model, CULVERT_FIELD_PRIVATE_KEY, 0), ==,
                     NM_SETTING_SECRET_FLAG_AGENT_OWNED);
    fill_in(model);
    save(model, connection);
    g_assert_cmpstr(item(connection, "endpoint"), ==, "vpn.example:51820");
    g_assert_cmpstr(item(connection, "address"), ==, "10.8.0.2/24");
    g_assert_cmpstr(item(connection, "private-key-flags"), ==, "1");
    g_assert_cmpstr(item(connection, "!private-key"), ==, PRIVATE_KEY);
    g_assert_null(item(connection, "preshared-key-flags"));
    g_assert_null(item(connection, "mtu"));
    g_assert_null(nm_connection_get_interface_name(connection));
}

/* The fault stands beside the field; what is only missing does not, but keeps Apply away. */
static void test_faults(void)
{
    static const struct {
        CulvertField field;
        const char *text;
        const char *fault;
    } CASES[] = {
        {CULVERT_FIELD_ENDPOINT, "vpn.example",
         "“vpn.example” has no port: expected is host:port or [IPv6 address]:port"},
        {CULVERT_FIELD_PUBLIC_KEY, "abc",
         "This is not a key: it has 3 characters, a key has 44 of base64"},
        {CULVERT_FIELD_PUBLIC_KEY, PUBLIC_KEY,
         "This is the public key of this computer: expected is the peer's"},
        {CULVERT_FIELD_ADDRESS, "10.8.0.300/24",
         "“10.8.0.300/24” is not an address with a prefix length, like 192.0.2.1/24 or "
         "2001:db8::1/64"},
        {CULVERT_FIELD_ADDRESS, "10.8.0.2/24, 10.8.0.3/24",
         "There is more than one IPv4 address: put the others into ipv4.addresses"},
        {CULVERT_FIELD_MTU, "12", "“12” is not valid, expected is 0, or 68 to 65455"},
        {CULVERT_FIELD_FURTHER_ENDPOINTS, "x y:1",
         "“x” has no port: expected is host:port or [IPv6 address]:port"},
        {CULVERT_FIELD_ENDPOINT, "", NULL},
        {CULVERT_FIELD_PUBLIC_KEY, "", NULL},
        {CULVERT_FIELD_ADDRESS, "", NULL},
        {CULVERT_FIELD_ADDRESS, " 10.8.0.2/24 ", NULL},
    };

    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autoptr(CulvertEditorModel) model = culvert_editor_model_new();
        g_autofree char *before = NULL;
        g_autofree char *fault = NULL;

        fill_in(model);
        before = culvert_editor_model_get_fault(model, CASES[i].field, 0);
        g_assert_null(before);
        culvert_editor_model_set(model, CASES[i].field, 0, CASES[i].text);
        fault = culvert_editor_model_get_fault(model, CASES[i].field, 0);
        g_assert_cmpstr(fault, ==, CASES[i].fault);
    }
}

static void test_interface_name(void)
{
    g_autoptr(CulvertEditorModel) model = culvert_editor_model_new();
    g_autofree char *fault = NULL;

    S(INTERFACE_NAME, "a-name-that-is-too-long");
    fault = culvert_editor_model_get_fault(model, CULVERT_FIELD_INTERFACE_NAME, 0);
    g_assert_nonnull(fault);
}

/* What is not shown for a device of packets does not count for it either. */
static void test_ethernet(void)
{
    g_autoptr(NMConnection) connection = new_connection();
    g_autoptr(CulvertEditorModel) model = load(connection);
    g_autofree char *fault = NULL;

    fill_in(model);
    g_assert_false(culvert_editor_model_is_ethernet(model));
    S(DEVICE_TYPE, "tap");
    g_assert_true(culvert_editor_model_is_ethernet(model));
    assert_not_saved(model, "VXLAN remote: this setting is missing: no peer's allowed IPs have a "
                            "single address, of the same family as this computer's, to which "
                            "Ethernet frames could go");
    g_assert_null(culvert_editor_model_get_fault(model, CULVERT_FIELD_VXLAN_REMOTE, 0));
    S(VXLAN_REMOTE, "10.9.0.1");
    fault = culvert_editor_model_get_fault(model, CULVERT_FIELD_VXLAN_REMOTE, 0);
    g_assert_cmpstr(fault, ==, "This address is not among the first peer's allowed IPs");
    S(VXLAN_REMOTE, "10.8.0.1");
    S(BRIDGE, "br0");
    save(model, connection);
    g_assert_cmpstr(item(connection, "bridge"), ==, "br0");
    g_assert_cmpstr(item(connection, "vxlan-remote"), ==, "10.8.0.1");

    S(VXLAN_ID, "none");
    S(DEVICE_TYPE, "tun");
    save(model, connection);
    g_assert_null(item(connection, "bridge"));
    g_assert_null(item(connection, "vxlan-remote"));
    g_assert_cmpstr(G(BRIDGE), ==, "br0");
}

static void test_messages(void)
{
    g_autoptr(CulvertEditorModel) model = culvert_editor_model_new();

    assert_not_saved(model, "Gateway’s public key: this setting is missing: each peer needs it");
    fill_in(model);
    S(ADDRESS, "");
    assert_not_saved(model, "Addresses: this setting is missing: give this computer's address in "
                            "the tunnel, like 192.0.2.1/24");
    S(ADDRESS, "10.8.0.2/24");
    S(PRIVATE_KEY, "");
    culvert_editor_model_set_flags(model, CULVERT_FIELD_PRIVATE_KEY, 0,
                                   NM_SETTING_SECRET_FLAG_NONE);
    assert_not_saved(model, "Your private key: this key is missing: paste it, generate one, or "
                            "choose to be asked for it");
    S(PRIVATE_KEY, PRIVATE_KEY);
    culvert_editor_model_add_peer(model);
    culvert_editor_model_set(model, CULVERT_FIELD_KEEPALIVE, 1, "often");
    assert_not_saved(model,
                     "Peer 2, Keepalive: “often” is not valid, expected is off, 0, or 1 to 65535");
}

static void test_traffic(void)
{
    g_autoptr(NMConnection) connection = new_connection();
    g_autoptr(CulvertEditorModel) model = load(connection);

    fill_in(model);
    culvert_editor_model_set_all_traffic(model, 0, TRUE);
    save(model, connection);
    g_assert_cmpstr(item(connection, "allowed-ips"), ==, "0.0.0.0/0;::/0");
    culvert_editor_model_set_all_traffic(model, 0, FALSE);
    save(model, connection);
    g_assert_cmpstr(item(connection, "allowed-ips"), ==, "10.8.0.0/24");
}

/* Keys of a newer version stay, those of a peer with that peer. */
static void test_unknown_keys(void)
{
    static const char *const pairs[] = {"future",
                                        "a",
                                        "public-key",
                                        GATEWAY_KEY,
                                        "address",
                                        "10.8.0.2/24",
                                        "peer2-public-key",
                                        GATEWAY_KEY2,
                                        "peer2-future",
                                        "b",
                                        "peer3-public-key",
                                        PUBLIC_KEY,
                                        "peer3-future",
                                        "c",
                                        "!private-key",
                                        PRESHARED,
                                        "!future-secret",
                                        "d",
                                        NULL};
    g_autoptr(NMConnection) connection = connection_with(pairs);
    g_autoptr(CulvertEditorModel) model = load(connection);

    save(model, connection);
    g_assert_cmpstr(item(connection, "future"), ==, "a");
    g_assert_cmpstr(item(connection, "peer2-future"), ==, "b");
    g_assert_cmpstr(item(connection, "peer3-future"), ==, "c");
    g_assert_cmpstr(item(connection, "!future-secret"), ==, "d");

    culvert_editor_model_remove_peer(model, 1);
    save(model, connection);
    g_assert_cmpstr(item(connection, "future"), ==, "a");
    g_assert_cmpstr(item(connection, "peer2-public-key"), ==, PUBLIC_KEY);
    g_assert_cmpstr(item(connection, "peer2-future"), ==, "c");
    g_assert_null(item(connection, "peer3-future"));
    g_assert_null(item(connection, "peer3-public-key"));
}

static void test_preshared_key(void)
{
    g_autoptr(NMConnection) connection = new_connection();
    g_autoptr(CulvertEditorModel) model = load(connection);

    /* kept where the private key is, until somebody says otherwise */
    fill_in(model);
    S(PRESHARED_KEY, PRESHARED);
    save(model, connection);
    g_assert_cmpstr(item(connection, "!preshared-key"), ==, PRESHARED);
    g_assert_cmpstr(item(connection, "preshared-key-flags"), ==, "1");
    culvert_editor_model_set_flags(model, CULVERT_FIELD_PRESHARED_KEY, 0,
                                   NM_SETTING_SECRET_FLAG_NONE);
    save(model, connection);
    g_assert_cmpstr(item(connection, "preshared-key-flags"), ==, "0");

    /* an empty field is a peer without one */
    S(PRESHARED_KEY, "");
    save(model, connection);
    g_assert_null(item(connection, "!preshared-key"));
    g_assert_null(item(connection, "preshared-key-flags"));

    culvert_editor_model_set_flags(model, CULVERT_FIELD_PRESHARED_KEY, 0,
                                   NM_SETTING_SECRET_FLAG_NOT_SAVED);
    save(model, connection);
    g_assert_cmpstr(item(connection, "preshared-key-flags"), ==, "2");
}

/* A key that an agent keeps, and did not hand out, is not lost by editing something else. */
static void test_agent_has_the_keys(void)
{
    static const char *const pairs[] = {
        "public-key", GATEWAY_KEY,           "address", "10.8.0.2/24", "private-key-flags",
        "1",          "preshared-key-flags", "1",       NULL};
    g_autoptr(NMConnection) connection = connection_with(pairs);
    g_autoptr(NMConnection) before = nm_simple_connection_new_clone(connection);
    g_autoptr(CulvertEditorModel) model = load(connection);

    save(model, connection);
    g_assert_true(nm_connection_compare(connection, before, NM_SETTING_COMPARE_FLAG_EXACT));
}

static void test_keys(void)
{
    g_autoptr(CulvertEditorModel) model = culvert_editor_model_new();
    g_autofree char *none = culvert_editor_model_get_public_key(model);
    g_autofree char *derived = NULL;
    g_autofree char *first = NULL;

    g_assert_null(none);
    S(PRIVATE_KEY, PRIVATE_KEY);
    derived = culvert_editor_model_get_public_key(model);
    g_assert_cmpstr(derived, ==, PUBLIC_KEY);
    culvert_editor_model_generate_key(model);
    first = g_strdup(G(PRIVATE_KEY));
    g_assert_cmpuint(strlen(first), ==, 44);
    g_assert_null(culvert_editor_model_get_fault(model, CULVERT_FIELD_PRIVATE_KEY, 0));
    culvert_editor_model_generate_key(model);
    g_assert_cmpstr(G(PRIVATE_KEY), !=, first);
}

static const char CONF[] = "[Interface]\nPrivateKey = " PRIVATE_KEY "\n"
                           "Address = 10.8.0.2/24, 10.8.0.3/24\nDNS = 10.8.0.1\nPostUp = reboot\n"
                           "[Peer]\nPublicKey = " GATEWAY_KEY "\nPresharedKey = " PRESHARED "\n"
                           "Endpoint = vpn.example:51820\nAllowedIPs = 0.0.0.0/0, ::/0\n";

static void test_conf(void)
{
    g_autoptr(CulvertEditorModel) model = culvert_editor_model_new();
    g_autoptr(NMConnection) connection = new_connection();
    g_autoptr(GPtrArray) warnings = NULL;
    g_autoptr(GError) error = NULL;

    S(MTU, "1300");
    culvert_editor_model_add_peer(model);
    g_assert_true(
        culvert_editor_model_load_conf(model, CONF, strlen(CONF), "clipboard", &warnings, &error));
    g_assert_no_error(error);
    g_assert_cmpuint(warnings->len, ==, 3);
    g_assert_nonnull(strstr(g_ptr_array_index(warnings, 0), "PostUp"));
    g_assert_nonnull(strstr(g_ptr_array_index(warnings, 1), "IPv6 stays outside"));
    g_assert_nonnull(strstr(g_ptr_array_index(warnings, 2), "first IPv4 address"));
    g_assert_cmpstr(G(ENDPOINT), ==, "vpn.example:51820");
    g_assert_cmpstr(G(MTU), ==, "");
    g_assert_cmpstr(G(DNS), ==, "10.8.0.1, ~");
    g_assert_true(culvert_editor_model_get_all_traffic(model, 0));
    g_assert_cmpuint(culvert_editor_model_get_n_peers(model), ==, 1);
    save(model, connection);
    g_assert_cmpstr(item(connection, "private-key-flags"), ==, "1");
    g_assert_cmpstr(item(connection, "preshared-key-flags"), ==, "1");
    g_assert_cmpstr(item(connection, "!private-key"), ==, PRIVATE_KEY);
    g_assert_cmpstr(item(connection, "address"), ==, "10.8.0.2/24");
}

static void test_not_conf(void)
{
    g_autoptr(CulvertEditorModel) model = culvert_editor_model_new();
    g_autoptr(GError) error = NULL;

    fill_in(model);
    g_assert_false(culvert_editor_model_load_conf(model, "remote x", 8, "clipboard", NULL, &error));
    g_assert_nonnull(strstr(error->message, "clipboard"));
    g_assert_cmpstr(G(ENDPOINT), ==, "vpn.example:51820");
}

static void test_file(void)
{
    g_autofree char *path = g_test_build_filename(G_TEST_DIST, "conf", "office.conf", NULL);
    g_autoptr(CulvertEditorModel) model = culvert_editor_model_new();
    g_autoptr(GError) error = NULL;

    g_assert_true(culvert_editor_model_load_file(model, path, NULL, &error));
    g_assert_cmpuint(strlen(G(PRIVATE_KEY)), ==, 44);
    g_assert_false(culvert_editor_model_load_file(model, "/nonexistent.conf", NULL, &error));
    g_assert_error(error, CULVERT_PROFILE_ERROR, CULVERT_PROFILE_ERROR_READ);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_test_add_func("/editor-model/round-trip", test_round_trip);
    g_test_add_func("/editor-model/new", test_new);
    g_test_add_func("/editor-model/faults", test_faults);
    g_test_add_func("/editor-model/interface-name", test_interface_name);
    g_test_add_func("/editor-model/ethernet", test_ethernet);
    g_test_add_func("/editor-model/messages", test_messages);
    g_test_add_func("/editor-model/traffic", test_traffic);
    g_test_add_func("/editor-model/unknown-keys", test_unknown_keys);
    g_test_add_func("/editor-model/preshared-key", test_preshared_key);
    g_test_add_func("/editor-model/agent-has-the-keys", test_agent_has_the_keys);
    g_test_add_func("/editor-model/keys", test_keys);
    g_test_add_func("/editor-model/conf", test_conf);
    g_test_add_func("/editor-model/not-conf", test_not_conf);
    g_test_add_func("/editor-model/file", test_file);
    return g_test_run();
}
