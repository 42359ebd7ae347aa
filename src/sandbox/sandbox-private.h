/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sandbox-private.h: the steps of culvert_sandbox_enter(), each in a file of its own.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef enum {
    SANDBOX_DAEMON,   /* nm-culvert-service and culvert, all threads */
    SANDBOX_PACKETS,  /* their packet threads, besides */
    SANDBOX_RESOLVER, /* the process that resolves names for the service */
} SandboxRole;

/* Keeps those of the named capabilities that the process has: a list, ended by -1. FALSE: `error`.
 */
gboolean sandbox_keep_capabilities(const int *keep, GError **error);

/* No core dumps, no looking in (prctl(2), PR_SET_DUMPABLE), no new privileges. */
gboolean sandbox_hide(GError **error);

/* Confines the calling thread to the files that `role` needs. Returns TRUE also where the kernel
 * has no Landlock, or does not use it, which is logged. */
gboolean sandbox_restrict_files(SandboxRole role, GError **error);

/* Confines the calling thread to the system calls that `role` needs. */
gboolean sandbox_restrict_calls(SandboxRole role, GError **error);

G_END_DECLS
