/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * auth-agent.c: hearing when the agent is done with us. See auth-agent.h.
 */
#include "config.h"

#include "auth-agent.h"

#include <errno.h>
#include <glib-unix.h>
#include <unistd.h>

#define QUIT "QUIT"

struct _AuthAgent {
    GCancellable *gone;
    GString *line; /* the one that is coming in; no longer than it has to be */
    guint source;
};

/* A byte at a time: there are five of them as a rule. */
static gboolean on_input(int fd, GIOCondition condition, gpointer data)
{
    AuthAgent *self = data;
    char c;
    gssize n = read(fd, &c, 1);

    if (n < 0 && (errno == EINTR || errno == EAGAIN))
        return G_SOURCE_CONTINUE;
    if (n == 1 && c != '\n') {
        if (self->line->len <= strlen(QUIT))
            g_string_append_c(self->line, c);
        return G_SOURCE_CONTINUE;
    }
    if (n == 1 && !g_str_equal(self->line->str, QUIT)) {
        g_string_truncate(self->line, 0);
        return G_SOURCE_CONTINUE;
    }
    self->source = 0;
    g_cancellable_cancel(self->gone);
    return G_SOURCE_REMOVE;
}

AuthAgent *auth_agent_new(int fd)
{
    AuthAgent *self = g_new0(AuthAgent, 1);

    self->gone = g_cancellable_new();
    self->line = g_string_new(NULL);
    self->source = g_unix_fd_add(fd, G_IO_IN | G_IO_HUP | G_IO_ERR, on_input, self);
    return self;
}

void auth_agent_free(AuthAgent *self)
{
    g_clear_handle_id(&self->source, g_source_remove);
    g_object_unref(self->gone);
    g_string_free(self->line, TRUE);
    g_free(self);
}

GCancellable *auth_agent_cancellable(AuthAgent *self)
{
    return self->gone;
}

static gboolean on_late(gpointer data)
{
    *(guint *) data = 0;
    return G_SOURCE_REMOVE;
}

void auth_agent_wait(AuthAgent *self, guint seconds)
{
    guint timeout = g_timeout_add_seconds(seconds, on_late, &timeout);

    while (timeout != 0 && !g_cancellable_is_cancelled(self->gone))
        g_main_context_iteration(NULL, TRUE);
    g_clear_handle_id(&timeout, g_source_remove);
}
