/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-editor-plugin.c: what libnm loads into nmcli and the desktop's settings to import and
 * export connections. No GTK: the editors are modules of their own, see
 * editor-loader.h.
 *
 * What import leaves out is printed to standard error, a line each: nmcli shows that to the user,
 * a desktop's settings leave it in their log. Import cannot do more: libnm has no word for a
 * warning, and an error would mean that there is no connection.
 *
 * The module is linked so that it cannot be unloaded (-z nodelete), because its type cannot be
 * unregistered. The factory may be called often and by several threads.
 */
#include "config.h"

#include <NetworkManager.h>
#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <gmodule.h>
#include <libintl.h>

#include "editor-loader.h"
#include "profile/culvert-import.h"

/* libnm 1.52; earlier ones do not look at this bit. */
#if !NM_CHECK_VERSION(1, 52, 0)
#define NM_VPN_EDITOR_PLUGIN_CAPABILITY_NO_EDITOR 0x08
#endif

#define CULVERT_TYPE_EDITOR_PLUGIN (culvert_editor_plugin_get_type())
G_DECLARE_FINAL_TYPE(CulvertEditorPlugin, culvert_editor_plugin, CULVERT, EDITOR_PLUGIN, GObject)

struct _CulvertEditorPlugin {
    GObject parent;
};

static void interface_init(NMVpnEditorPluginInterface *iface);

G_DEFINE_TYPE_WITH_CODE(CulvertEditorPlugin, culvert_editor_plugin, G_TYPE_OBJECT,
                        G_IMPLEMENT_INTERFACE(NM_TYPE_VPN_EDITOR_PLUGIN, interface_init))

enum {
    PROP_0,
    PROP_NAME,
    PROP_DESCRIPTION,
    PROP_SERVICE,
};

static void print_warnings(GPtrArray *warnings)
{
    for (guint i = 0; warnings && i < warnings->len; i++)
        g_printerr(_("Warning: %s\n"), (const char *) g_ptr_array_index(warnings, i));
}

static NMConnection *import_from_file(NMVpnEditorPlugin *plugin, const char *path, GError **error)
{
    g_autoptr(GPtrArray) warnings = NULL;
    NMConnection *connection = culvert_import_file(path, &warnings, error);

    print_warnings(warnings);
    return connection;
}

/* nmcli hands over the connection as NetworkManager shows it to anybody: without its secrets.
 * NetworkManager decides whether this user may have them. An export without them is still one, and
 * a warning says so. */
static NMConnection *with_secrets(NMConnection *connection)
{
    g_autoptr(NMConnection) complete = NULL;
    g_autoptr(GVariant) secrets = NULL;

    if (!NM_IS_REMOTE_CONNECTION(connection))
        return g_object_ref(connection);
    complete = nm_simple_connection_new_clone(connection);
    /* Deprecated because it blocks; but so does the export that it is part of. */
    G_GNUC_BEGIN_IGNORE_DEPRECATIONS
    secrets = nm_remote_connection_get_secrets(NM_REMOTE_CONNECTION(connection),
                                               NM_SETTING_VPN_SETTING_NAME, NULL, NULL);
    G_GNUC_END_IGNORE_DEPRECATIONS
    if (secrets)
        nm_connection_update_secrets(complete, NM_SETTING_VPN_SETTING_NAME, secrets, NULL);
    return g_steal_pointer(&complete);
}

static gboolean export_to_file(NMVpnEditorPlugin *plugin, const char *path,
                               NMConnection *connection, GError **error)
{
    g_autoptr(NMConnection) complete = with_secrets(connection);
    g_autoptr(GPtrArray) warnings = NULL;
    gboolean done = culvert_export_file(complete, path, &warnings, error);

    print_warnings(warnings);
    return done;
}

static char *get_suggested_filename(NMVpnEditorPlugin *plugin, NMConnection *connection)
{
    return culvert_export_suggest_name(connection);
}

static NMVpnEditorPluginCapability get_capabilities(NMVpnEditorPlugin *plugin)
{
    NMVpnEditorPluginCapability no_editor =
        culvert_editor_is_installed() ? 0 : NM_VPN_EDITOR_PLUGIN_CAPABILITY_NO_EDITOR;

    return NM_VPN_EDITOR_PLUGIN_CAPABILITY_IMPORT | NM_VPN_EDITOR_PLUGIN_CAPABILITY_EXPORT |
           NM_VPN_EDITOR_PLUGIN_CAPABILITY_IPV6 | no_editor;
}

static NMVpnEditor *get_editor(NMVpnEditorPlugin *plugin, NMConnection *connection, GError **error)
{
    return culvert_editor_load(connection, error);
}

static void interface_init(NMVpnEditorPluginInterface *iface)
{
    iface->get_editor = get_editor;
    iface->get_capabilities = get_capabilities;
    iface->import_from_file = import_from_file;
    iface->export_to_file = export_to_file;
    iface->get_suggested_filename = get_suggested_filename;
}

static void culvert_editor_plugin_get_property(GObject *object, guint id, GValue *value,
                                               GParamSpec *pspec)
{
    switch (id) {
    case PROP_NAME:
        g_value_set_string(value, _("Culvert (WireGuard)"));
        break;
    case PROP_DESCRIPTION:
        g_value_set_string(value, _("Connects to WireGuard gateways without a kernel module, and "
                                    "reports whether the gateway answers."));
        break;
    case PROP_SERVICE:
        g_value_set_string(value, CULVERT_VPN_SERVICE);
        break;
    default:
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, id, pspec);
    }
}

static void culvert_editor_plugin_class_init(CulvertEditorPluginClass *klass)
{
    GObjectClass *object_class = G_OBJECT_CLASS(klass);

    object_class->get_property = culvert_editor_plugin_get_property;
    g_object_class_override_property(object_class, PROP_NAME, NM_VPN_EDITOR_PLUGIN_NAME);
    g_object_class_override_property(object_class, PROP_DESCRIPTION,
                                     NM_VPN_EDITOR_PLUGIN_DESCRIPTION);
    g_object_class_override_property(object_class, PROP_SERVICE, NM_VPN_EDITOR_PLUGIN_SERVICE);
}

static void culvert_editor_plugin_init(CulvertEditorPlugin *self)
{
}

/* The module's one symbol, see libnm-vpn-plugin.ver. */
G_MODULE_EXPORT NMVpnEditorPlugin *nm_vpn_editor_plugin_factory(GError **error)
{
    bindtextdomain(GETTEXT_PACKAGE, CULVERT_LOCALEDIR);
    bind_textdomain_codeset(GETTEXT_PACKAGE, "UTF-8");
    return g_object_new(CULVERT_TYPE_EDITOR_PLUGIN, NULL);
}
