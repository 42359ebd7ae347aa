/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * account-private.h: how a question about an account gets to whoever may look, and the answer back.
 */
#pragma once

#include "culvert-account.h"

G_BEGIN_DECLS

typedef struct {
    CulvertAccountKind kind;
    char *name;
} AccountQuestion;

/* What became of a task of culvert_account_find_async(), as culvert_account_look_up() says. */
void account_return(GTask *task, int status, guint32 id);

gboolean account_is_task(GTask *task);

/* The question of a task. Borrowed. */
const AccountQuestion *account_question(GTask *task);

/* Has the process that resolves names look, and account_return() what it says. FALSE: there is
 * none. In a build without the sandbox there never is one. */
gboolean resolver_ask_account(GTask *task);

G_END_DECLS
