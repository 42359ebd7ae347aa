/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sandbox-none.c: in place of the sandbox where it is not built: with -Dsandbox=disabled, and with
 * a sanitizer, which needs /proc, more system calls and to be looked into.
 */
#include "account-private.h"
#include "culvert-netns.h"
#include "culvert-resolver.h"
#include "culvert-sandbox.h"

#include <errno.h>

gboolean culvert_sandbox_enter(GError **error)
{
    g_info("Not confined: built without the sandbox");
    return TRUE;
}

gboolean culvert_sandbox_is_wanted(void)
{
    return FALSE;
}

void culvert_sandbox_packet_thread(void)
{
}

gboolean culvert_resolver_start(GError **error)
{
    return TRUE;
}

gboolean resolver_ask_account(GTask *task)
{
    return FALSE;
}

void culvert_resolver_ask_servers_async(const char *name, GPtrArray *servers, guint ifindex,
                                        guint32 mark, GCancellable *cancellable,
                                        GAsyncReadyCallback callback, gpointer user_data)
{
    g_task_report_new_error(NULL, callback, user_data, NULL, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                            "%s", g_strerror(EOPNOTSUPP));
}

GList *culvert_resolver_ask_servers_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

gboolean culvert_netns_start(GError **error)
{
    return TRUE;
}
