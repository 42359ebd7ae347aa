/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * resolver-channel.h: what the process that resolves names has in place of a socket to a name
 * server: a socket to the service, which passes on what comes through it.
 *
 * Belongs to the thread that made it, and its default main context.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _ResolverChannel ResolverChannel;

/* resolver_channel_new: to `server` and nowhere else, through the interface `ifindex`, marked with
 * `mark` unless it is 0. NULL and `error` if that cannot be. */
ResolverChannel *resolver_channel_new(GSocketAddress *server, guint ifindex, guint32 mark,
                                      GError **error);

/* resolver_channel_free: the other end is closed, too. */
void resolver_channel_free(ResolverChannel *self);

/* resolver_channel_take_end: the other end, once. (transfer full) */
int resolver_channel_take_end(ResolverChannel *self);

G_END_DECLS
