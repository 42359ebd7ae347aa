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
    SANDBOX_NETNS,    /* the process that enters network namespaces for the gateway */
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

/* Forks a process called `name` that does `run` with its end of a SOCK_SEQPACKET pair, and ends
 * with that or with this process; `fd`: the other end. It has none of this process's other
 * descriptors. Does nothing if culvert_sandbox_is_wanted() is FALSE. */
gboolean sandbox_start_process(const char *name, void (*run)(int socket), int *fd, GError **error);

G_END_DECLS
