/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * auth-agent.h: the agent at the other end of standard input, which says QUIT, or closes it, when
 * it wants no more of us. Main thread.
 */
#pragma once

#include <gio/gio.h>

G_BEGIN_DECLS

typedef struct _AuthAgent AuthAgent;

/* auth_agent_new: listens to the agent, in the default main context. */
AuthAgent *auth_agent_new(int fd);
void auth_agent_free(AuthAgent *self);

/* auth_agent_cancellable: cancelled once the agent wants no more. (transfer none) */
GCancellable *auth_agent_cancellable(AuthAgent *self);

/* auth_agent_wait: runs the main context until then, or until `seconds` have passed. */
void auth_agent_wait(AuthAgent *self, guint seconds);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(AuthAgent, auth_agent_free)

G_END_DECLS
