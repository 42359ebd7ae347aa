/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-resolver.h: names are resolved by a process of its own. It is not root, and has to read
 * whatever the name service switch reads; the service itself reads none of that.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

/* culvert_resolver_start: forks the process, and makes a GResolver that asks it the default one, so
 * that GNetworkAddress and the like use it from now on. Call it from main() before
 * culvert_sandbox_enter() and before there is a second thread; answers need the default main
 * context. The process ends with this one. Does nothing if culvert_sandbox_is_wanted() is FALSE.
 *
 * Returns FALSE with `error` set, a sentence for the user, if there can be no such process. */
gboolean culvert_resolver_start(GError **error);

/* culvert_resolver_ask_servers_async: looks for the addresses of `name` at these name servers
 * (element-type GInetSocketAddress), the first three of them, and not as the system would: UDP that
 * leaves through the interface with the index `ifindex`, whatever the routes say, with the firewall
 * mark `mark`, 0: none. The process that makes the queries and reads the answers has no socket to
 * a server: this one passes a few datagrams on, between it and these addresses alone. Takes less
 * than six seconds; stops at once if cancelled. Errors are G_RESOLVER_ERROR, or why nothing can be
 * sent; G_IO_ERROR_NOT_SUPPORTED if there is no such process. */
void culvert_resolver_ask_servers_async(const char *name, GPtrArray *servers, guint ifindex,
                                        guint32 mark, GCancellable *cancellable,
                                        GAsyncReadyCallback callback, gpointer user_data);

/* culvert_resolver_ask_servers_finish: (transfer full), for g_resolver_free_addresses(). */
GList *culvert_resolver_ask_servers_finish(GAsyncResult *result, GError **error);

G_END_DECLS
