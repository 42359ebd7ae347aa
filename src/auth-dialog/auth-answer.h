/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * auth-answer.h: the two forms of an answer to an agent, written to a file descriptor. Nothing of
 * it stays in memory.
 */
#pragma once

#include "auth-question.h"

G_BEGIN_DECLS

/* auth_answer_form: the description of a form, which the agent shows and fills in itself: a key
 * file as GNOME Shell, nm-applet and nmcli read it. */
gboolean auth_answer_form(int fd, const AuthQuestion *question, GPtrArray *fields, GError **error);

/* auth_answer_values: the secrets that are there, a line for a name and one for its value. */
gboolean auth_answer_values(int fd, GPtrArray *fields, GError **error);

G_END_DECLS
