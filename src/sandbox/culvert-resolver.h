/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-resolver.h: names are resolved by a process of its own. It is not root, and has to read
 * whatever the name service switch reads; the service itself reads none of that.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* culvert_resolver_start: forks the process, and makes a GResolver that asks it the default one, so
 * that GNetworkAddress and the like use it from now on. Call it from main() before
 * culvert_sandbox_enter() and before there is a second thread; answers need the default main
 * context. The process ends with this one. Does nothing if culvert_sandbox_is_wanted() is FALSE.
 *
 * Returns FALSE with `error` set, a sentence for the user, if there can be no such process. */
gboolean culvert_resolver_start(GError **error);

G_END_DECLS
