/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-editor-plugin.c: the libnm plugin as nmcli has it: loaded through libnm, importing and
 * exporting files. Argument: the module.
 */
#include <NetworkManager.h>
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <string.h>

#define SERVICE "org.freedesktop.NetworkManager.culvert"

static const char *module_path;
static GString *printed; /* to standard error */

static void print(const char *text)
{
    g_string_append(printed, text);
}

static NMVpnEditorPlugin *load(void)
{
    g_autoptr(GError) error = NULL;
    NMVpnEditorPlugin *plugin = nm_vpn_editor_plugin_load(module_path, SERVICE, &error);

    g_assert_no_error(error);
    g_assert_nonnull(plugin);
    return plugin;
}

static char *fixture(const char *name)
{
    return g_test_build_filename(G_TEST_DIST, "conf", name, NULL);
}

static NMConnection *import(NMVpnEditorPlugin *plugin, const char *path)
{
    g_autoptr(GError) error = NULL;
    NMConnection *connection = nm_vpn_editor_plugin_import(plugin, path, &error);

    g_assert_no_error(error);
    g_assert_true(nm_connection_verify(connection, &error));
    return connection;
}

static void test_properties(void)
{
    g_autoptr(NMVpnEditorPlugin) plugin = load();
    g_autofree char *name = NULL;
    g_autofree char *description = NULL;
    g_autofree char *service = NULL;

    g_object_get(plugin, "name", &name, "description", &description, "service", &service, NULL);
    g_assert_cmpstr(name, ==, "Culvert (WireGuard)");
    g_assert_nonnull(strstr(description, "WireGuard"));
    g_assert_cmpstr(service, ==, SERVICE);
}

/* A second instance, and one after all others are gone. */
static void test_again(void)
{
    NMVpnEditorPlugin *first = load();
    NMVpnEditorPlugin *second = load();
    g_autoptr(NMVpnEditorPlugin) third = NULL;

    g_assert_true(first != second);
    g_object_unref(first);
    g_object_unref(second);
    third = load();
    g_assert_nonnull(third);
}

static void test_wrong_service(void)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(nm_vpn_editor_plugin_load(module_path, SERVICE "x", &error));
    g_assert_nonnull(error);
}

/* The way of nmcli: a .name file in NM_VPN_PLUGIN_DIR names the module. */
static void test_name_file(void)
{
    g_autofree char *folder = g_dir_make_tmp("culvert-XXXXXX", NULL);
    g_autofree char *path = g_build_filename(folder, "nm-culvert-service.name", NULL);
    g_autofree char *text = g_strdup_printf("[VPN Connection]\nname=culvert\nservice=" SERVICE "\n"
                                            "program=/nonexistent\n[libnm]\nplugin=%s\n",
                                            module_path);
    g_autoptr(GError) error = NULL;
    g_autoptr(NMVpnPluginInfo) info = NULL;
    NMVpnEditorPlugin *plugin;

    g_assert_true(g_file_set_contents(path, text, -1, NULL));
    g_setenv("NM_VPN_PLUGIN_DIR", folder, TRUE);
    info = nm_vpn_plugin_info_new_search_file("culvert", SERVICE);
    g_assert_nonnull(info);
    plugin = nm_vpn_plugin_info_load_editor_plugin(info, &error);
    g_assert_no_error(error);
    g_assert_true(NM_IS_VPN_EDITOR_PLUGIN(plugin));
    g_unsetenv("NM_VPN_PLUGIN_DIR");
    g_unlink(path);
    g_rmdir(folder);
}

/* Beside a module that was loaded as `path`. */
static void assert_capabilities(const char *path, guint expected)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(NMVpnEditorPlugin) plugin = nm_vpn_editor_plugin_load(path, SERVICE, &error);

    g_assert_no_error(error);
    g_assert_cmpuint(nm_vpn_editor_plugin_get_capabilities(plugin), ==, expected);
}

/* In a process of its own: the copy has the same types. Whether there is an editor is looked up
 * beside the module, each time. */
static void test_no_editor(void)
{
    g_autofree char *folder = NULL;
    g_autofree char *copy = NULL;
    g_autofree char *editor = NULL;
    g_autofree char *module = NULL;
    gsize length;

    if (!g_test_subprocess()) {
        g_test_trap_subprocess(NULL, 0, G_TEST_SUBPROCESS_INHERIT_STDERR);
        g_test_trap_assert_passed();
        return;
    }
    folder = g_dir_make_tmp("culvert-XXXXXX", NULL);
    copy = g_build_filename(folder, "plugin.so", NULL);
    editor = g_build_filename(folder, "libnm-vpn-plugin-culvert-editor.so", NULL);
    g_assert_true(g_file_get_contents(module_path, &module, &length, NULL));
    g_assert_true(g_file_set_contents(copy, module, length, NULL));
    assert_capabilities(copy, 1 | 2 | 4 | 8);
    g_assert_true(g_file_set_contents(editor, "", 0, NULL));
    assert_capabilities(copy, 1 | 2 | 4);
    g_unlink(editor);
    g_unlink(copy);
    g_rmdir(folder);
}

/* This program has no toolkit, like nmcli. */
static void test_no_toolkit(void)
{
    g_autoptr(NMVpnEditorPlugin) plugin = load();
    g_autoptr(NMConnection) connection = nm_simple_connection_new();
    g_autoptr(GError) error = NULL;

    g_assert_null(nm_vpn_editor_plugin_get_editor(plugin, connection, &error));
    g_assert_error(error, NM_CONNECTION_ERROR, NM_CONNECTION_ERROR_FAILED);
    g_assert_nonnull(strstr(error->message, "There is no editor"));
}

static void test_import_export(void)
{
    g_autoptr(NMVpnEditorPlugin) plugin = load();
    g_autofree char *path = fixture("sections.conf");
    g_autoptr(NMConnection) connection = import(plugin, path);
    g_autofree char *name = nm_vpn_editor_plugin_get_suggested_filename(plugin, connection);
    g_autofree char *folder = g_dir_make_tmp("culvert-XXXXXX", NULL);
    g_autofree char *exported = g_build_filename(folder, name, NULL);
    g_autoptr(NMConnection) again = NULL;
    g_autoptr(GError) error = NULL;

    g_assert_cmpstr(name, ==, "sections.conf");
    nm_vpn_editor_plugin_export(plugin, exported, connection, &error);
    g_assert_no_error(error);
    again = import(plugin, exported);
    g_assert_true(nm_connection_compare(connection, again, NM_SETTING_COMPARE_FLAG_FUZZY));
    g_assert_cmpstr(nm_setting_vpn_get_secret(nm_connection_get_setting_vpn(again), "private-key"),
                    ==, "SIZkLX+Aq6521/nTXd1JDzjHC81fu/s/rLZAIxslXl0=");
    g_unlink(exported);
    g_rmdir(folder);
}

/* Each line that import leaves out is told. */
static void test_warnings(void)
{
    g_autoptr(NMVpnEditorPlugin) plugin = load();
    g_autofree char *path = fixture("commands.conf");
    GPrintFunc before = g_set_printerr_handler(print);
    g_autoptr(NMConnection) connection = NULL;

    g_string_truncate(printed, 0);
    connection = import(plugin, path);
    g_set_printerr_handler(before);
    g_assert_cmpstr(
        printed->str, ==,
        "Warning: commands.conf:4: SaveConfig is left out: NetworkManager saves what "
        "is changed\n"
        "Warning: commands.conf:5: PreUp is left out: commands in a .conf are not run\n"
        "Warning: commands.conf:6: PostUp is left out: commands in a .conf are not run\n"
        "Warning: commands.conf:7: PostUp is left out: commands in a .conf are not run\n"
        "Warning: commands.conf:8: PreDown is left out: commands in a .conf are not "
        "run\n"
        "Warning: commands.conf:9: PostDown is left out: commands in a .conf are not "
        "run\n");
}

static void test_import_error(void)
{
    g_autoptr(NMVpnEditorPlugin) plugin = load();
    g_autofree char *path = fixture("README.md");
    g_autoptr(GError) error = NULL;

    g_assert_null(nm_vpn_editor_plugin_import(plugin, path, &error));
    g_assert_nonnull(error);
    g_assert_true(g_str_has_prefix(error->message, "README.md:1: this is not a WireGuard .conf"));
    g_assert_null(nm_vpn_editor_plugin_import(plugin, path, NULL));
}

/* Whatever else it contains stays inside: other modules may have the same. */
static void test_symbols(void)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GSubprocess) nm =
        g_subprocess_new(G_SUBPROCESS_FLAGS_STDOUT_PIPE, &error, "nm", "--dynamic",
                         "--defined-only", "--format=just-symbols", module_path, NULL);
    g_autofree char *symbols = NULL;

    g_assert_no_error(error);
    g_assert_true(g_subprocess_communicate_utf8(nm, NULL, NULL, &symbols, NULL, &error));
    g_assert_cmpstr(symbols, ==, "nm_vpn_editor_plugin_factory\n");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    /* A subprocess gets no arguments. */
    if (argc > 1)
        g_setenv("CULVERT_TEST_MODULE", argv[1], TRUE);
    module_path = g_getenv("CULVERT_TEST_MODULE");
    g_assert_nonnull(module_path);
    printed = g_string_new(NULL);
    g_test_add_func("/editor-plugin/properties", test_properties);
    g_test_add_func("/editor-plugin/again", test_again);
    g_test_add_func("/editor-plugin/wrong-service", test_wrong_service);
    g_test_add_func("/editor-plugin/name-file", test_name_file);
    g_test_add_func("/editor-plugin/no-editor", test_no_editor);
    g_test_add_func("/editor-plugin/no-toolkit", test_no_toolkit);
    g_test_add_func("/editor-plugin/import-export", test_import_export);
    g_test_add_func("/editor-plugin/warnings", test_warnings);
    g_test_add_func("/editor-plugin/import-error", test_import_error);
    g_test_add_func("/editor-plugin/symbols", test_symbols);
    return g_test_run();
}
