/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * auth-window.h: the window that asks for keys, for agents that have none of their own. Main
 * thread.
 */
#pragma once

#include "auth-question.h"

G_BEGIN_DECLS

/* auth_window_ask: shows the fields that are to be asked for until each has a valid key and the
 * user is content, and puts the keys into them. FALSE: G_IO_ERROR_CANCELLED, by the user or by
 * `cancellable`, or there is no display. */
gboolean auth_window_ask(const AuthQuestion *question, GPtrArray *fields, GCancellable *cancellable,
                         GError **error);

G_END_DECLS
