/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-qr.h: a profile as a QR code, for the WireGuard app of a phone. Main thread.
 */
#pragma once

#include <NetworkManager.h>
#include <gtk/gtk.h>

G_BEGIN_DECLS

/* culvert_editor_qr_show: asks in a window of its own, since the code holds the private key, and
 * then shows it there. `connection` is complete, with its secrets; it is let go when the window is
 * closed. */
void culvert_editor_qr_show(GtkWindow *parent, NMConnection *connection);

G_END_DECLS
