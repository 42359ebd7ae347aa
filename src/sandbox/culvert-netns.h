/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-netns.h: sockets in other network namespaces, for a device that was moved to one.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* culvert_netns_start: forks a process that can make such sockets once this one may not enter a
 * namespace any more, for which it would need CAP_SYS_ADMIN. It does nothing else, and ends with
 * this one. Call it from main() before culvert_sandbox_enter() and before there is a second thread.
 * Does nothing if culvert_sandbox_is_wanted() is FALSE.
 *
 * Returns FALSE with `error` set, a sentence for the user, if there can be no such process. */
gboolean culvert_netns_start(GError **error);

/* culvert_netns_socket: socket(2) in the network namespace that the descriptor `netns` (borrowed)
 * stands for; AF_UNIX, or AF_NETLINK with NETLINK_ROUTE. Not for two threads at once. Returns a
 * descriptor (transfer full), or -1 with errno set. */
int culvert_netns_socket(int netns, int domain, int type, int protocol);

G_END_DECLS
