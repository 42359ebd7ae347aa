/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gateway-daemon.h: going into the background once ready, so that whoever started the program can
 * use the interface, or hears why not, when the program returns. Before any thread exists.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* gateway_daemon_start: splits the process. In the background one it returns TRUE; the one in the
 * foreground waits for gateway_daemon_ready(), or for the other's end, and then exits with status
 * 0 or 1. FALSE: no process could be made. */
gboolean gateway_daemon_start(GError **error);

/* gateway_daemon_ready: lets the foreground process go, and lets go of its terminal. No-op if
 * gateway_daemon_start() was not called. */
void gateway_daemon_ready(void);

G_END_DECLS
