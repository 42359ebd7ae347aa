/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-loader.h: which editor the program that has loaded the libnm plugin can show, and loading
 * it: a module for GTK 3, and one for GTK 4, beside the plugin. Either may be missing. Any thread.
 */
#pragma once

#include <NetworkManager.h>

G_BEGIN_DECLS

/* What both modules export. (transfer full) */
typedef NMVpnEditor *(*CulvertEditorFactory)(NMConnection *connection, GError **error);
NMVpnEditor *culvert_editor_factory(NMConnection *connection, GError **error);

/* culvert_editor_is_installed: whether there is a module for the program's toolkit, or, if it has
 * none, any. */
gboolean culvert_editor_is_installed(void);

/* culvert_editor_load: makes an editor. Only from a program's GTK thread. (transfer full) */
NMVpnEditor *culvert_editor_load(NMConnection *connection, GError **error);

G_END_DECLS
