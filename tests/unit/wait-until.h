/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * wait-until.h: waiting for what the main loop brings.
 */
#pragma once

#include <glib.h>

/* Nothing that is waited for takes a second; a hang ends with a message instead of meson's time
 * limit. */
#define WAIT_UNTIL_MS 20000

/* For wait_until(). */
static inline gboolean wait_until_too_late(gpointer unused)
{
    g_error("What the test waits for did not happen within %d ms", WAIT_UNTIL_MS);
    return G_SOURCE_REMOVE;
}

/* wait_until: runs the main loop until the condition holds, and ends the program with a message if
 * it never does. */
#define wait_until(condition)                                                                      \
    G_STMT_START                                                                                   \
    {                                                                                              \
        guint deadline_ = g_timeout_add(WAIT_UNTIL_MS, wait_until_too_late, NULL);                 \
        while (!(condition))                                                                       \
            g_main_context_iteration(NULL, TRUE);                                                  \
        g_source_remove(deadline_);                                                                \
    }                                                                                              \
    G_STMT_END
