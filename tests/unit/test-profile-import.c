/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-profile-import.c: NetworkManager profiles from .conf files and back: the fixtures in conf/
 * (see its README.md), random profiles, and what happens to the files themselves.
 */
#include <arpa/inet.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>

#include "profile/culvert-import.h"
#include "profile/culvert-options.h"

/* ---- A profile as text ---------------------------------------------------------------------- */

static void append_strings(GString *out, const char *name, char **strings)
{
    g_autofree char *joined = NULL;

    if (!strings || !strings[0])
        return;
    joined = g_strjoinv(" ", strings);
    g_string_append_printf(out, "%s: %s\n", name, joined);
}

static void append_vpn(GString *out, NMSettingVpn *setting)
{
    g_autofree const char **data = nm_setting_vpn_get_data_keys(setting, NULL);
    g_autofree const char **secrets = nm_setting_vpn_get_secret_keys(setting, NULL);

    g_string_append_printf(out, "service-type: %s\n", nm_setting_vpn_get_service_type(setting));
    for (guint i = 0; data && data[i]; i++)
        g_string_append_printf(out, "data %s: %s\n", data[i],
                               nm_setting_vpn_get_data_item(setting, data[i]));
    for (guint i = 0; secrets && secrets[i]; i++)
        g_string_append_printf(out, "secret %s: %s\n", secrets[i],
                               nm_setting_vpn_get_secret(setting, secrets[i]));
}

static void append_ip(GString *out, const char *family, NMSettingIPConfig *setting)
{
    g_auto(GStrv) searches = NULL;

    g_string_append_printf(out, "%s: method=%s ignore-auto-routes=%d never-default=%d table=%u\n",
                           family, nm_setting_ip_config_get_method(setting),
                           nm_setting_ip_config_get_ignore_auto_routes(setting),
                           nm_setting_ip_config_get_never_default(setting),
                           nm_setting_ip_config_get_route_table(setting));
    for (guint i = 0; i < nm_setting_ip_config_get_num_addresses(setting); i++) {
        NMIPAddress *address = nm_setting_ip_config_get_address(setting, i);

        g_string_append_printf(out, "%s address: %s/%u\n", family,
                               nm_ip_address_get_address(address),
                               nm_ip_address_get_prefix(address));
    }
    g_object_get(setting, NM_SETTING_IP_CONFIG_DNS_SEARCH, &searches, NULL);
    append_strings(out, "dns-search", searches);
}

/* All that import decides, without the UUID. */
static char *dump(NMConnection *connection, GPtrArray *warnings)
{
    g_autoptr(GString) out = g_string_new(NULL);
    NMSettingConnection *general = nm_connection_get_setting_connection(connection);

    g_string_append_printf(out, "id: %s\n", nm_setting_connection_get_id(general));
    g_string_append_printf(out, "type: %s\n", nm_setting_connection_get_connection_type(general));
    append_vpn(out, nm_connection_get_setting_vpn(connection));
    append_ip(out, "ipv4", nm_connection_get_setting_ip4_config(connection));
    append_ip(out, "ipv6", nm_connection_get_setting_ip6_config(connection));
    for (guint i = 0; warnings && i < warnings->len; i++)
        g_string_append_printf(out, "warning: %s\n", (char *) g_ptr_array_index(warnings, i));
    return g_string_free(g_steal_pointer(&out), FALSE);
}

/* ---- The fixtures --------------------------------------------------------------------------- */

/* Exports to a file of the same name and imports that. */
static NMConnection *there_and_back(NMConnection *connection, const char *name)
{
    g_autofree char *folder = g_dir_make_tmp("culvert-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, name, NULL);
    g_autoptr(GError) error = NULL;
    NMConnection *again;

    culvert_export_file(connection, path, NULL, &error);
    g_assert_no_error(error);
    again = culvert_import_file(path, NULL, &error);
    g_assert_no_error(error);
    g_unlink(path);
    g_rmdir(folder);
    return again;
}

static void assert_same(NMConnection *a, NMConnection *b)
{
    g_autofree char *text_a = dump(a, NULL);
    g_autofree char *text_b = dump(b, NULL);

    g_assert_cmpstr(text_a, ==, text_b);
    g_assert_true(nm_connection_compare(a, b, NM_SETTING_COMPARE_FLAG_FUZZY));
    g_assert_cmpstr(nm_connection_get_uuid(a), !=, nm_connection_get_uuid(b));
}

static void test_fixture(gconstpointer path)
{
    g_autofree char *name = g_path_get_basename(path);
    g_autofree char *stem = g_strndup(path, strlen(path) - strlen(".conf"));
    g_autofree char *expected_path = g_strconcat(stem, ".expected", NULL);
    g_autofree char *expected = NULL;
    g_autofree char *actual = NULL;
    g_autoptr(GPtrArray) warnings = NULL;
    g_autoptr(GError) error = NULL;
    g_autoptr(NMConnection) connection = culvert_import_file(path, &warnings, &error);
    g_autoptr(NMConnection) again = NULL;

    g_assert_no_error(error);
    g_assert_true(nm_connection_verify(connection, &error));
    g_assert_true(nm_connection_verify_secrets(connection, &error));
    actual = dump(connection, warnings);
    if (g_getenv("CULVERT_UPDATE"))
        g_assert_true(g_file_set_contents(expected_path, actual, -1, NULL));
    g_file_get_contents(expected_path, &expected, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpstr(actual, ==, expected);

    again = there_and_back(connection, name);
    assert_same(connection, again);
}

static guint add_fixtures(void)
{
    g_autofree char *folder = g_test_build_filename(G_TEST_DIST, "conf", NULL);
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    const char *name;
    guint n = 0;

    g_assert_nonnull(dir);
    while ((name = g_dir_read_name(dir))) {
        g_autofree char *test = g_strconcat("/profile/import/fixture/", name, NULL);

        if (!g_str_has_suffix(name, ".conf"))
            continue;
        g_test_add_data_func_full(test, g_build_filename(folder, name, NULL), test_fixture, g_free);
        n++;
    }
    return n;
}

/* ---- Random profiles ------------------------------------------------------------------------ */

static gboolean coin(void)
{
    return g_test_rand_bit();
}

static WgPrefix random_prefix(int family)
{
    WgPrefix prefix = {.family = family};
    gsize size = family == AF_INET ? 4 : 16;

    for (gsize i = 0; i < size; i++)
        prefix.addr[i] = g_test_rand_int_range(0, 256);
    prefix.addr[0] = 10; /* neither zero nor multicast */
    prefix.length = g_test_rand_int_range(0, size * 8 + 1);
    return prefix;
}

static char *random_address(void)
{
    WgPrefix prefix = random_prefix(coin() ? AF_INET : AF_INET6);
    char text[INET6_ADDRSTRLEN];

    inet_ntop(prefix.family, prefix.addr, text, sizeof(text));
    return g_strdup(text);
}

static char *random_name(void)
{
    return g_strdup_printf("h%d.example", g_test_rand_int_range(0, 1000));
}

static void random_secret(WgKey **key, NMSettingSecretFlags *flags)
{
    *key = wg_secret_new0(WgKey);
    wg_key_generate(*key);
    *flags = g_test_rand_int_range(0, 3);
}

static void parse_text(const char *key, gpointer object, char *text)
{
    g_autoptr(GError) error = NULL;

    culvert_option_parse_item(culvert_options_find(key), text, object, &error);
    g_assert_no_error(error);
    g_free(text);
}

static void random_endpoint(CulvertProfilePeer *peer)
{
    g_autofree char *host = coin() ? random_name() : random_address();
    int port = g_test_rand_int_range(1, 65536);

    parse_text("endpoint", peer,
               strchr(host, ':') ? g_strdup_printf("[%s]:%d", host, port)
                                 : g_strdup_printf("%s:%d", host, port));
}

static void random_peer(CulvertProfile *profile)
{
    CulvertProfilePeer *peer = culvert_profile_add_peer(profile);
    guint n_prefixes = g_test_rand_int_range(0, 5);
    guint n_endpoints = g_test_rand_int_range(0, 4);

    wg_key_generate(&peer->public_key);
    if (coin())
        random_secret(&peer->preshared_key, &peer->preshared_key_flags);
    for (guint i = 0; i < n_endpoints; i++)
        random_endpoint(peer);
    for (guint i = 0; i < n_prefixes; i++) {
        WgPrefix prefix = random_prefix(coin() ? AF_INET : AF_INET6);
        char text[INET6_ADDRSTRLEN];

        inet_ntop(prefix.family, prefix.addr, text, sizeof(text));
        parse_text("allowed-ips", peer, g_strdup_printf("%s/%u", text, prefix.length));
    }
    if (coin())
        peer->keepalive = g_test_rand_int_range(0, 65536);
}

static void random_ethernet(CulvertProfile *profile)
{
    guint n_addresses = g_test_rand_int_range(0, 5);

    profile->device_type = CULVERT_DEVICE_TAP;
    if (coin())
        profile->vxlan_id = g_test_rand_int_range(0, 1 << 24);
    if (profile->mtu)
        profile->mtu = MAX(profile->mtu, 1350);
    if (coin() && profile->kill_switch == CULVERT_KILL_SWITCH_NO) {
        profile->bridge = g_strdup("br0");
        return;
    }
    for (guint i = 0; i < n_addresses; i++) {
        WgPrefix prefix = random_prefix(coin() ? AF_INET : AF_INET6);

        prefix.length = MAX(prefix.length, 1);
        g_array_append_val(profile->tap_addresses, prefix);
    }
}

/* The other end's address has to be one of the first peer's. */
static void random_remote(CulvertProfile *profile)
{
    CulvertProfilePeer *peer = g_ptr_array_index(profile->peers, 0);

    if (profile->device_type != CULVERT_DEVICE_TAP || peer->allowed_ips->len == 0)
        return;
    profile->vxlan_remote = g_array_index(peer->allowed_ips, WgPrefix, 0);
    profile->vxlan_remote.addr[0] |= 2; /* not the zeros of a whole network */
    profile->vxlan_remote.length = profile->vxlan_remote.family == AF_INET ? 32 : 128;
    if (g_array_index(peer->allowed_ips, WgPrefix, 0).length >= 8)
        profile->vxlan_remote.addr[0] = 10;
}

static CulvertConf *random_conf(void)
{
    CulvertConf *conf = culvert_conf_new();
    CulvertProfile *profile = conf->profile;
    guint n_addresses = g_test_rand_int_range(0, 5);
    guint n_dns = g_test_rand_int_range(0, 4);
    guint n_peers = g_test_rand_int_range(1, 5);

    if (g_test_rand_int_range(0, 8))
        random_secret(&profile->private_key, &profile->private_key_flags);
    for (guint i = 0; i < n_addresses; i++) {
        WgPrefix prefix = random_prefix(coin() ? AF_INET : AF_INET6);

        prefix.length = MAX(prefix.length, 1);
        g_array_append_val(profile->addresses, prefix);
    }
    for (guint i = 0; i < n_dns; i++)
        parse_text("dns", profile, coin() ? random_address() : random_name());
    if (coin())
        profile->mtu = g_test_rand_int_range(1280, 65456);
    if (coin())
        profile->listen_port = g_test_rand_int_range(0, 65536);
    if (coin())
        profile->fwmark = g_test_rand_int();
    profile->kill_switch = g_test_rand_int_range(0, CULVERT_KILL_SWITCH_ALLOW_LOCAL + 1);
    if (coin())
        parse_text("tun-user", profile, g_strdup_printf("user%d", g_test_rand_int_range(0, 1000)));
    if (coin())
        parse_text("tun-group", profile, g_strdup_printf("%d", g_test_rand_int_range(0, 1000)));
    if (coin())
        random_ethernet(profile);
    conf->table = g_test_rand_int_range(-2, 1000);
    if (conf->table == 0)
        conf->table = CULVERT_CONF_TABLE_AUTO;
    for (guint i = 0; i < n_peers; i++)
        random_peer(profile);
    random_remote(profile);
    return conf;
}

static void test_random(void)
{
    for (guint i = 0; i < 200; i++) {
        g_autoptr(CulvertConf) conf = random_conf();
        g_autoptr(GError) error = NULL;
        g_autoptr(NMConnection) connection = culvert_import_conf(conf, "random", &error);
        g_autoptr(NMConnection) again = NULL;

        g_assert_no_error(error);
        again = there_and_back(connection, "random.conf");
        assert_same(connection, again);
    }
}

/* ---- Names ---------------------------------------------------------------------------------- */

static const struct {
    const char *file;
    const char *id;
} NAMES[] = {
    {"wg0.conf", "wg0"},
    {"fifteen-letters.conf", "fifteen-letters"},
    {"sixteen--letters.conf", "sixteen--letters"},
    {"a name with spaces and more.conf", "a name with spaces and more"},
    {"büro.CONF", "büro"},
    {"lo.conf", "lo"},
    {"all.conf", "all"},
    {"a:b.conf", "a:b"},
    {"culvert%d.conf", "culvert%d"},
    {".conf", ".conf"},
    {"wg0", "wg0"},
    {"wg0.txt", "wg0.txt"},
    {"wg0.conf.conf", "wg0.conf"},
    {"new\nline.conf", "new_line"},
    {"latin\xfc.conf", "latin�"},
};

static const char MINIMAL[] = "[Interface]\nPrivateKey = SIZkLX+Aq6521/nTXd1JDzjHC81fu/s/rLZAIxslXl"
                              "0=\nAddress = 10.8.0.2/24\n[Peer]\nPublicKey = ERsUvfiVxsiZxzCPcnrmO"
                              "aoPo1nyosO2dQNAqEMK9Ss=\n";

static void test_names(void)
{
    g_autofree char *folder = g_dir_make_tmp("culvert-XXXXXX", NULL);

    for (guint i = 0; i < G_N_ELEMENTS(NAMES); i++) {
        g_autofree char *path = g_build_filename(folder, NAMES[i].file, NULL);
        g_autoptr(NMConnection) connection = NULL;
        g_autoptr(GError) error = NULL;

        g_assert_true(g_file_set_contents(path, MINIMAL, -1, NULL));
        connection = culvert_import_file(path, NULL, &error);
        g_assert_no_error(error);
        g_assert_cmpstr(nm_connection_get_id(connection), ==, NAMES[i].id);
        g_assert_null(nm_connection_get_interface_name(connection));
        g_unlink(path);
    }
    g_rmdir(folder);
}

static void test_file_name(void)
{
    g_autoptr(CulvertConf) conf = culvert_conf_parse(MINIMAL, strlen(MINIMAL), "x", NULL);
    g_autoptr(NMConnection) connection = culvert_import_conf(conf, "Büro / 1st", NULL);
    g_autofree char *name = culvert_export_suggest_name(connection);

    g_assert_cmpstr(name, ==, "Büro _ 1st.conf");
}

/* ---- NetworkManager's own settings ---------------------------------------------------------- */

/* What a user changed in NetworkManager's settings is exported where a .conf has a word for it. */
static void test_own_settings(void)
{
    g_autoptr(CulvertConf) conf = culvert_conf_parse(MINIMAL, strlen(MINIMAL), "x", NULL);
    g_autoptr(NMConnection) connection = culvert_import_conf(conf, "x", NULL);
    NMSettingIPConfig *ip4 = nm_connection_get_setting_ip4_config(connection);
    g_autoptr(CulvertConf) exported = NULL;
    g_autoptr(GError) error = NULL;
    NMIPRoute *route = nm_ip_route_new(AF_INET, "10.99.0.0", 16, NULL, -1, NULL);

    nm_setting_ip_config_add_dns(ip4, "10.8.0.53");
    nm_setting_ip_config_add_dns_search(ip4, "corp.example");
    nm_setting_ip_config_add_route(ip4, route);
    nm_ip_route_unref(route);
    exported = culvert_export_conf(connection, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(exported->profile->dns->len, ==, 1);
    g_assert_cmpstr(g_ptr_array_index(exported->profile->dns, 0), ==, "10.8.0.53");
    g_assert_cmpuint(exported->profile->search->len, ==, 1);
    g_assert_cmpstr(g_ptr_array_index(exported->profile->search, 0), ==, "corp.example");
    g_assert_cmpuint(exported->warnings->len, ==, 1);
    g_assert_nonnull(strstr(g_ptr_array_index(exported->warnings, 0), "ipv4.routes is left out"));
}

/* A file that would send more through the tunnel than the profile does says so. */
static void test_left_out(void)
{
    static const struct {
        gboolean no_routes, no_default;
        guint table;
        const char *left_out; /* what a warning names; NULL: there is none */
    } CASES[] = {
        {FALSE, FALSE, 0, NULL},
        {FALSE, FALSE, 42, NULL},
        {TRUE, TRUE, 0, NULL},
        {TRUE, FALSE, 0, "ipv4.ignore-auto-routes is left out"},
        {FALSE, TRUE, 0, "ipv4.never-default is left out"},
    };
    g_autoptr(CulvertConf) conf = culvert_conf_parse(MINIMAL, strlen(MINIMAL), "x", NULL);

    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autoptr(NMConnection) connection = culvert_import_conf(conf, "x", NULL);
        g_autoptr(CulvertConf) exported = NULL;

        g_object_set(nm_connection_get_setting_ip4_config(connection),
                     NM_SETTING_IP_CONFIG_IGNORE_AUTO_ROUTES, CASES[i].no_routes,
                     NM_SETTING_IP_CONFIG_NEVER_DEFAULT, CASES[i].no_default,
                     NM_SETTING_IP_CONFIG_ROUTE_TABLE, CASES[i].table, NULL);
        exported = culvert_export_conf(connection, NULL);
        g_assert_cmpuint(exported->warnings->len, ==, CASES[i].left_out ? 1 : 0);
        if (CASES[i].left_out)
            g_assert_true(
                g_str_has_prefix(g_ptr_array_index(exported->warnings, 0), CASES[i].left_out));
    }
}

/* The families may have tables of their own in NetworkManager only. */
static void test_two_tables(void)
{
    static const char BOTH[] =
        "[Interface]\nAddress = 10.8.0.2/24, fd08::2/64\n[Peer]\nPublicKey = "
        "ERsUvfiVxsiZxzCPcnrmOaoPo1nyosO2dQNAqEMK9Ss=\n";
    g_autoptr(CulvertConf) conf = culvert_conf_parse(BOTH, strlen(BOTH), "x", NULL);
    g_autoptr(NMConnection) connection = culvert_import_conf(conf, "x", NULL);
    g_autoptr(CulvertConf) exported = NULL;

    g_object_set(nm_connection_get_setting_ip4_config(connection), NM_SETTING_IP_CONFIG_ROUTE_TABLE,
                 42, NULL);
    g_object_set(nm_connection_get_setting_ip6_config(connection), NM_SETTING_IP_CONFIG_ROUTE_TABLE,
                 43, NULL);
    exported = culvert_export_conf(connection, NULL);
    g_assert_cmpint(exported->table, ==, 42);
    g_assert_true(
        g_str_has_prefix(g_ptr_array_index(exported->warnings, 0), "ipv6.route-table is left out"));
}

static void test_other_type(void)
{
    g_autoptr(NMConnection) connection = nm_simple_connection_new();
    g_autoptr(GError) error = NULL;
    NMSetting *vpn = nm_setting_vpn_new();

    g_assert_null(culvert_export_conf(connection, &error));
    g_assert_error(error, CULVERT_PROFILE_ERROR, CULVERT_PROFILE_ERROR_INVALID);
    g_clear_error(&error);
    g_object_set(vpn, NM_SETTING_VPN_SERVICE_TYPE, "org.freedesktop.NetworkManager.openvpn", NULL);
    nm_connection_add_setting(connection, vpn);
    g_assert_null(culvert_export_conf(connection, &error));
    g_assert_error(error, CULVERT_PROFILE_ERROR, CULVERT_PROFILE_ERROR_INVALID);
}

/* Without the key the file says so, and the export too. */
static void test_missing_secret(void)
{
    g_autoptr(CulvertConf) conf = culvert_conf_parse(MINIMAL, strlen(MINIMAL), "x", NULL);
    g_autoptr(NMConnection) connection = culvert_import_conf(conf, "x", NULL);
    g_autoptr(CulvertConf) exported = NULL;

    nm_setting_vpn_remove_secret(nm_connection_get_setting_vpn(connection), "private-key");
    exported = culvert_export_conf(connection, NULL);
    g_assert_nonnull(exported);
    g_assert_cmpuint(exported->warnings->len, ==, 1);
    g_assert_true(g_str_has_prefix(g_ptr_array_index(exported->warnings, 0), "private-key is not"));
}

/* ---- Files ---------------------------------------------------------------------------------- */

static char *import_error(const char *path, CulvertProfileError code)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(culvert_import_file(path, NULL, &error));
    g_assert_error(error, CULVERT_PROFILE_ERROR, (int) code);
    return g_strdup(error->message);
}

static void test_unreadable(void)
{
    g_autofree char *folder = g_dir_make_tmp("culvert-XXXXXX", NULL);
    g_autofree char *missing = g_build_filename(folder, "missing.conf", NULL);
    g_autofree char *large = g_build_filename(folder, "large.conf", NULL);
    g_autofree char *zeros = g_malloc0(1024 * 1024 + 1);
    g_autofree char *a = import_error(missing, CULVERT_PROFILE_ERROR_READ);
    g_autofree char *b = import_error(folder, CULVERT_PROFILE_ERROR_READ);
    g_autofree char *c = NULL;

    g_assert_true(g_str_has_prefix(a, "missing.conf could not be read: "));
    g_assert_nonnull(strstr(b, "could not be read"));
    g_assert_true(g_file_set_contents(large, zeros, 1024 * 1024 + 1, NULL));
    c = import_error(large, CULVERT_PROFILE_ERROR_NOT_CONF);
    g_assert_nonnull(strstr(c, "larger than"));
    g_unlink(large);
    g_rmdir(folder);
}

static guint count_files(const char *folder)
{
    g_autoptr(GDir) dir = g_dir_open(folder, 0, NULL);
    guint n = 0;

    while (g_dir_read_name(dir))
        n++;
    return n;
}

/* Neither another user nor a file of wider mode that was there before sees the keys; a failure
 * leaves what was there. */
static void test_export_file(void)
{
    g_autofree char *folder = g_dir_make_tmp("culvert-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "x.conf", NULL);
    g_autofree char *nowhere = g_build_filename(folder, "nowhere", "x.conf", NULL);
    g_autofree char *fifo = g_build_filename(folder, "fifo", NULL);
    g_autoptr(CulvertConf) conf = culvert_conf_parse(MINIMAL, strlen(MINIMAL), "x", NULL);
    g_autoptr(NMConnection) connection = culvert_import_conf(conf, "x", NULL);
    g_autoptr(GError) error = NULL;
    g_autofree char *text = NULL;
    GStatBuf before, after;

    g_assert_true(g_file_set_contents(path, "old", -1, NULL));
    g_assert_cmpint(g_chmod(path, 0644), ==, 0);
    g_assert_cmpint(g_stat(path, &before), ==, 0);
    culvert_export_file(connection, path, NULL, &error);
    g_assert_no_error(error);
    g_assert_cmpint(g_stat(path, &after), ==, 0);
    g_assert_cmpint(after.st_mode & 07777, ==, 0600);
    g_assert_cmpuint(before.st_ino, !=, after.st_ino);
    g_assert_cmpuint(count_files(folder), ==, 1);

    g_assert_false(culvert_export_file(connection, nowhere, NULL, &error));
    g_assert_nonnull(error);
    g_clear_error(&error);
    g_assert_cmpint(mkfifo(fifo, 0600), ==, 0);
    g_assert_false(culvert_export_file(connection, fifo, NULL, &error));
    g_assert_error(error, CULVERT_PROFILE_ERROR, CULVERT_PROFILE_ERROR_READ);
    g_clear_error(&error);
    g_unlink(fifo);
    g_assert_false(culvert_export_file(connection, folder, NULL, &error));
    g_clear_error(&error);

    /* A connection with a fault does not touch the file. */
    nm_setting_vpn_add_data_item(nm_connection_get_setting_vpn(connection), "mtu", "x");
    g_assert_false(culvert_export_file(connection, path, NULL, &error));
    g_assert_true(g_str_has_prefix(error->message, "mtu: "));
    g_assert_true(g_file_get_contents(path, &text, NULL, NULL));
    g_assert_nonnull(strstr(text, "PrivateKey = SIZk"));
    g_unlink(path);
    g_rmdir(folder);
}

/* Import reads, and no more. */
static void test_import_writes_nothing(void)
{
    g_autofree char *folder = g_dir_make_tmp("culvert-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "x.conf", NULL);
    g_autoptr(NMConnection) connection = NULL;
    g_autofree char *text = NULL;
    GStatBuf before, after;

    g_assert_true(g_file_set_contents(path, MINIMAL, -1, NULL));
    g_assert_cmpint(g_stat(path, &before), ==, 0);
    connection = culvert_import_file(path, NULL, NULL);
    g_assert_nonnull(connection);
    g_assert_cmpint(g_stat(path, &after), ==, 0);
    g_assert_cmpint(memcmp(&before.st_mtim, &after.st_mtim, sizeof(before.st_mtim)), ==, 0);
    g_assert_cmpuint(count_files(folder), ==, 1);
    g_unlink(path);
    g_rmdir(folder);
}

/* The tunnel's servers alone are asked where everything goes through the tunnel, and only there. */
static void test_dns_priority(void)
{
    static const struct {
        const char *dns, *table, *allowed_ips;
        int priority;
    } CASES[] = {
        {"10.8.0.1", "auto", "0.0.0.0/0", -50},
        {"10.8.0.1", "auto", "0.0.0.0/0, fd08::/64", -50},
        {"10.8.0.1", "7", "::/0", -50},
        {"10.8.0.1, corp.example", "auto", "0.0.0.0/1, 128.0.0.0/1", -50},
        {"10.8.0.1", "auto", "128.0.0.0/1, 10.8.0.0/24", 0},
        {"10.8.0.1", "auto", "10.8.0.0/24", 0},
        {"10.8.0.1", "off", "0.0.0.0/0", 0},
        {"corp.example", "auto", "0.0.0.0/0", 0},
    };

    for (guint i = 0; i < G_N_ELEMENTS(CASES); i++) {
        g_autofree char *text =
            g_strdup_printf("[Interface]\nAddress = 10.8.0.2/24, fd08::2/64\nDNS = %s\nTable = "
                            "%s\n[Peer]\nPublicKey = "
                            "xTIBA5rboUvnH4htodjb6e697QjLERt1NAB4mZqp8Dg=\nAllowedIPs = %s\n",
                            CASES[i].dns, CASES[i].table, CASES[i].allowed_ips);
        g_autoptr(GError) error = NULL;
        g_autoptr(CulvertConf) conf = culvert_conf_parse(text, strlen(text), "x", &error);
        g_autoptr(NMConnection) connection = culvert_import_conf(conf, "x", &error);
        NMSettingIPConfig *ip4 = nm_connection_get_setting_ip4_config(connection);
        NMSettingIPConfig *ip6 = nm_connection_get_setting_ip6_config(connection);

        g_assert_no_error(error);
        g_assert_cmpint(nm_setting_ip_config_get_dns_priority(ip4), ==, CASES[i].priority);
        g_assert_cmpint(nm_setting_ip_config_get_dns_priority(ip6), ==, CASES[i].priority);
    }
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    g_assert_cmpuint(add_fixtures(), >=, 11);
    g_test_add_func("/profile/import/random", test_random);
    g_test_add_func("/profile/import/names", test_names);
    g_test_add_func("/profile/import/file-name", test_file_name);
    g_test_add_func("/profile/import/own-settings", test_own_settings);
    g_test_add_func("/profile/import/left-out", test_left_out);
    g_test_add_func("/profile/import/two-tables", test_two_tables);
    g_test_add_func("/profile/import/dns-priority", test_dns_priority);
    g_test_add_func("/profile/import/other-type", test_other_type);
    g_test_add_func("/profile/import/missing-secret", test_missing_secret);
    g_test_add_func("/profile/import/unreadable", test_unreadable);
    g_test_add_func("/profile/import/export-file", test_export_file);
    g_test_add_func("/profile/import/import-writes-nothing", test_import_writes_nothing);
    return g_test_run();
}
