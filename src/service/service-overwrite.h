/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-overwrite.h: no key stays in the buffer that messages arrive in.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* culvert_service_overwrite_watch: from now on, whatever `bus` receives with a call, which may be a
 * key, is overwritten soon after. GDBus keeps one buffer to read into, which only a later message
 * of that size overwrites; so one is sent to ourselves. Call it before secrets can arrive; it holds
 * to the end of the connection. */
void culvert_service_overwrite_watch(GDBusConnection *bus);

G_END_DECLS
