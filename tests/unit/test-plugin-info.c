/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-plugin-info.c: the .name file as it was built, read as NetworkManager, nmcli and the
 * desktops read it. Arguments: the file, libexecdir, the folder of the libnm plugin.
 */
#include <NetworkManager.h>

static NMVpnPluginInfo *info;
static const char *libexecdir;
static const char *plugindir;

static void assert_property(const char *group, const char *key, const char *expected)
{
    g_assert_cmpstr(nm_vpn_plugin_info_lookup_property(info, group, key), ==, expected);
}

static void test_identity(void)
{
    g_autofree char *program = g_build_filename(libexecdir, "nm-culvert-service", NULL);
    g_autofree char *plugin = g_build_filename(plugindir, "libnm-vpn-plugin-culvert.so", NULL);

    g_assert_cmpstr(nm_vpn_plugin_info_get_name(info), ==, "culvert");
    g_assert_cmpstr(nm_vpn_plugin_info_get_service(info), ==,
                    "org.freedesktop.NetworkManager.culvert");
    g_assert_cmpstr(nm_vpn_plugin_info_get_program(info), ==, program);
    g_assert_cmpstr(nm_vpn_plugin_info_get_plugin(info), ==, plugin);
}

/* Without these, a second connection ends the first, and NetworkManager from 1.56 on refuses a
 * profile that is one user's own. */
static void test_abilities(void)
{
    g_assert_true(nm_vpn_plugin_info_supports_multiple(info));
    assert_property("VPN Connection", "supports-multiple-connections", "true");
    assert_property("VPN Connection", "supports-safe-private-file-access", "true");
}

static void test_auth_dialog(void)
{
    g_autofree char *dialog = g_build_filename(libexecdir, "nm-culvert-auth-dialog", NULL);

    g_assert_cmpstr(nm_vpn_plugin_info_get_auth_dialog(info), ==, dialog);
    assert_property("GNOME", "supports-external-ui-mode", "true");
    assert_property("GNOME", "supports-hints", "true");
    g_assert_true(nm_vpn_plugin_info_supports_hints(info));
}

int main(int argc, char **argv)
{
    g_autoptr(GError) error = NULL;
    int status;

    g_test_init(&argc, &argv, NULL);
    g_assert_cmpint(argc, ==, 4);
    libexecdir = argv[2];
    plugindir = argv[3];
    info = nm_vpn_plugin_info_new_from_file(argv[1], &error);
    g_assert_no_error(error);
    g_test_add_func("/plugin-info/identity", test_identity);
    g_test_add_func("/plugin-info/abilities", test_abilities);
    g_test_add_func("/plugin-info/auth-dialog", test_auth_dialog);
    status = g_test_run();
    g_object_unref(info);
    return status;
}
