/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-sandbox.h: what a daemon that hears strangers gives up: capabilities, system calls, the
 * file system, new programs. SECURITY.md says what each process may still do.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* culvert_sandbox_enter: confines this process, and for good. Call it from main(), before there is
 * a second thread: Linux confines threads one by one, and later ones inherit it; and after whatever
 * reads a file outside the few that stay open to it (libcrypto's configuration).
 *
 * Afterwards the process has no capability but CAP_NET_ADMIN and CAP_NET_BIND_SERVICE, cannot start
 * a program, create or write a file, or read one outside the list in sandbox-landlock.c, leaves no
 * core dump and cannot be looked into by others than root. Nor can it resolve names: see
 * culvert-resolver.h.
 *
 * Returns TRUE if it is confined, or need not be: where the build has no sandbox, or the
 * environment variable CULVERT_SANDBOX is "no", which is logged. FALSE with `error` set, a sentence
 * for the user, if the kernel refuses; without Landlock (Linux 5.13) it goes on, and logs that. */
gboolean culvert_sandbox_enter(GError **error);

/* culvert_sandbox_is_wanted: whether culvert_sandbox_enter() would confine this process. */
gboolean culvert_sandbox_is_wanted(void);

/* culvert_sandbox_packet_thread: confines the calling thread further, if the process is confined at
 * all: no capability, and no system call but those that move packets on descriptors it has, wait
 * and manage its memory. For a thread that takes datagrams of strangers apart. Failing ends the
 * process. */
void culvert_sandbox_packet_thread(void);

G_END_DECLS
