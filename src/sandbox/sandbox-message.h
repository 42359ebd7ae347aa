/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sandbox-message.h: messages of a fixed size, with descriptors, between a daemon and the processes
 * that work for it.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* What one message may carry. */
#define SANDBOX_MESSAGE_FDS_MAX 4

/* sandbox_message_send: whole, or not at all: then FALSE and errno. Copies of the `n_fds`
 * descriptors go along. `flags`: of sendmsg(2). */
gboolean sandbox_message_send(int socket, gconstpointer data, gsize len, const int *fds,
                              guint n_fds, int flags);

/* sandbox_message_receive: waits for a message. FALSE: the other side is gone, or it was of another
 * size than `len`. `fds`: the descriptors that came along, the caller's to close also then; `n_fds`
 * how many. */
gboolean sandbox_message_receive(int socket, gpointer data, gsize len,
                                 int fds[SANDBOX_MESSAGE_FDS_MAX], guint *n_fds);

G_END_DECLS
