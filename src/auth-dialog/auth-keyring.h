/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * auth-keyring.h: secrets that an agent keeps in the user's keyring. Main thread.
 */
#pragma once

#include "auth-question.h"

G_BEGIN_DECLS

/* auth_keyring_look_up: fills in the fields that the agent did not give and that the profile says
 * agents keep. A locked keyring is unlocked, which asks the user, if the user may be asked. What is
 * not found, and no keyring, is no error. Runs the main context; ends early if cancelled. */
void auth_keyring_look_up(const AuthQuestion *question, GPtrArray *fields,
                          GCancellable *cancellable);

G_END_DECLS
