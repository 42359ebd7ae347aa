/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-account.h: the numbers of users and groups. The name service switch may look into a
 * directory on the network for them, and the sandbox keeps it from most that it needs: so the
 * process asks that resolves names, see culvert-resolver.h, and nobody waits.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef enum {
    CULVERT_ACCOUNT_USER,
    CULVERT_ACCOUNT_GROUP,
} CulvertAccountKind;

/* culvert_account_look_up: the number of the account `name`. The calling thread waits, and its
 * process must be allowed to look: a confined one is not. Returns 0 and sets `id`, ENOENT: there is
 * none, or the errno of what went wrong. Any thread. */
int culvert_account_look_up(CulvertAccountKind kind, const char *name, guint32 *id);

/* culvert_account_parse_number: whether `text` is the number of an account, if there may be none;
 * sets `id` then. The greatest would mean none, see chown(2). Any thread. */
gboolean culvert_account_parse_number(const char *text, guint32 *id);

/* culvert_account_find_async: looks for the account `name`; digits are its number, and need no
 * account of that number. Answers need the default main context. */
void culvert_account_find_async(CulvertAccountKind kind, const char *name,
                                GCancellable *cancellable, GAsyncReadyCallback callback,
                                gpointer data);

/* culvert_account_find_finish: FALSE: there is none (G_IO_ERROR_NOT_FOUND), or nobody knows;
 * `error` is a half sentence for the user. */
gboolean culvert_account_find_finish(GAsyncResult *result, guint32 *id, GError **error);

G_END_DECLS
