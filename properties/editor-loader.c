/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-loader.c: finds and loads an editor. See editor-loader.h.
 */
#include "config.h"

#include "editor-loader.h"

#include <dlfcn.h>
#include <glib/gi18n-lib.h>
#include <gmodule.h>

#define GTK3_MODULE "libnm-vpn-plugin-culvert-editor.so"
#define GTK4_MODULE "libnm-gtk4-vpn-plugin-culvert-editor.so"

typedef enum {
    TOOLKIT_NONE,
    TOOLKIT_GTK3,
    TOOLKIT_GTK4,
} Toolkit;

/* By functions that only one of them has. */
static Toolkit find_toolkit(void)
{
    GModule *self = g_module_open(NULL, 0);
    Toolkit toolkit = TOOLKIT_NONE;
    gpointer symbol = NULL;

    if (!self)
        return TOOLKIT_NONE;
    if (g_module_symbol(self, "gtk_container_add", &symbol) && symbol)
        toolkit = TOOLKIT_GTK3;
    else if (g_module_symbol(self, "gtk_widget_get_root", &symbol) && symbol)
        toolkit = TOOLKIT_GTK4;
    g_module_close(self);
    return toolkit;
}

/* The editors stand beside this module, wherever that was loaded from. (transfer full) */
static char *module_path(const char *name)
{
    Dl_info info;
    g_autofree char *folder = NULL;

    if (!dladdr(module_path, &info) || !info.dli_fname)
        return g_build_filename(CULVERT_PLUGINDIR, name, NULL);
    folder = g_path_get_dirname(info.dli_fname);
    return g_build_filename(folder, name, NULL);
}

static gboolean is_there(const char *name)
{
    g_autofree char *path = module_path(name);

    return g_file_test(path, G_FILE_TEST_IS_REGULAR);
}

gboolean culvert_editor_is_installed(void)
{
    switch (find_toolkit()) {
    case TOOLKIT_GTK3:
        return is_there(GTK3_MODULE);
    case TOOLKIT_GTK4:
        return is_there(GTK4_MODULE);
    case TOOLKIT_NONE:
        break;
    }
    return is_there(GTK3_MODULE) || is_there(GTK4_MODULE);
}

static NMVpnEditor *load_module(const char *name, NMConnection *connection, GError **error)
{
    g_autofree char *path = module_path(name);
    GModule *module = g_module_open(path, G_MODULE_BIND_LAZY | G_MODULE_BIND_LOCAL);
    gpointer factory = NULL;

    if (!module || !g_module_symbol(module, "culvert_editor_factory", &factory)) {
        g_set_error(error, NM_CONNECTION_ERROR, NM_CONNECTION_ERROR_FAILED,
                    _("The editor could not be loaded: %s. Install Culvert again"),
                    g_module_error());
        return NULL;
    }
    return ((CulvertEditorFactory) factory)(connection, error);
}

NMVpnEditor *culvert_editor_load(NMConnection *connection, GError **error)
{
    Toolkit toolkit = find_toolkit();
    const char *name = toolkit == TOOLKIT_GTK3 ? GTK3_MODULE : GTK4_MODULE;

    if (toolkit != TOOLKIT_NONE && is_there(name))
        return load_module(name, connection, error);
    g_set_error(error, NM_CONNECTION_ERROR, NM_CONNECTION_ERROR_FAILED,
                _("There is no editor for connections of the type “%s” in this program: import a "
                  ".conf file, or change the connection with “nmcli connection edit”"),
                "culvert");
    return NULL;
}
