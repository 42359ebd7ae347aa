/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-resolver.c: a GResolver that asks another process. It knows names and addresses alone,
 * which is what GNetworkAddress asks for, and besides the numbers of accounts.
 */
#include "config.h"

#include "culvert-resolver.h"

#include "account-private.h"
#include "resolver-private.h"
#include "sandbox-private.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <sys/socket.h>

#define CULVERT_TYPE_RESOLVER (culvert_resolver_get_type())
G_DECLARE_FINAL_TYPE(CulvertResolver, culvert_resolver, CULVERT, RESOLVER, GResolver)

struct _CulvertResolver {
    GResolver parent;
    int fd;
    guint32 last_id;
    GHashTable *pending; /* id: GTask */
};

G_DEFINE_FINAL_TYPE(CulvertResolver, culvert_resolver, G_TYPE_RESOLVER)

/* ---- Answers -------------------------------------------------------------------------------- */

static void free_addresses(gpointer addresses)
{
    g_resolver_free_addresses(addresses);
}

static GInetAddress *to_address(const ResolverAddress *address)
{
    if (address->family == AF_INET)
        return g_inet_address_new_from_bytes(address->bytes, G_SOCKET_FAMILY_IPV4);
    return g_inet_address_new_from_bytes(address->bytes, G_SOCKET_FAMILY_IPV6);
}

static GError *to_error(const char *name, int status)
{
    GResolverError code = G_RESOLVER_ERROR_INTERNAL;

    if (status == EAI_NONAME || status == EAI_NODATA || status == EAI_ADDRFAMILY)
        code = G_RESOLVER_ERROR_NOT_FOUND;
    else if (status == EAI_AGAIN)
        code = G_RESOLVER_ERROR_TEMPORARY_FAILURE;
    return g_error_new(G_RESOLVER_ERROR, code, _("Cannot resolve “%s”: %s"), name,
                       gai_strerror(status));
}

static void finish(GTask *task, const ResolverAnswer *answer)
{
    GList *addresses = NULL;

    if (account_is_task(task)) {
        account_return(task, answer->status, answer->account);
        return;
    }
    if (answer->status != 0 || answer->n_addresses == 0) {
        int status = answer->status != 0 ? answer->status : EAI_NONAME;

        g_task_return_error(task, to_error(g_task_get_task_data(task), status));
        return;
    }
    for (guint i = 0; i < answer->n_addresses; i++)
        addresses = g_list_prepend(addresses, to_address(&answer->addresses[i]));
    g_task_return_pointer(task, g_list_reverse(addresses), free_addresses);
}

/* The other process is gone; it cannot be started again from in here. */
static void fail_all(CulvertResolver *self)
{
    GHashTableIter iter;
    gpointer task;

    g_warning("The process that resolves names is gone: names cannot be resolved any more");
    g_hash_table_iter_init(&iter, self->pending);
    while (g_hash_table_iter_next(&iter, NULL, &task))
        finish(task, &(ResolverAnswer){.status = account_is_task(task) ? EPIPE : EAI_FAIL});
    g_hash_table_remove_all(self->pending);
}

/* It takes strangers' packets apart, so it is believed no more than they. */
static gboolean is_sound(const ResolverAnswer *answer, gssize len)
{
    if (len != sizeof *answer || answer->n_addresses > RESOLVER_ADDRESSES_MAX)
        return FALSE;
    for (guint i = 0; i < answer->n_addresses; i++) {
        if (answer->addresses[i].family != AF_INET && answer->addresses[i].family != AF_INET6)
            return FALSE;
    }
    return TRUE;
}

static gboolean answer_ready(int fd, GIOCondition condition, gpointer data)
{
    CulvertResolver *self = data;
    ResolverAnswer answer;
    gssize n = recv(fd, &answer, sizeof answer, MSG_DONTWAIT);
    gpointer task;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return G_SOURCE_CONTINUE;
    if (!is_sound(&answer, n)) {
        fail_all(self);
        return G_SOURCE_REMOVE;
    }
    if (g_hash_table_steal_extended(self->pending, GUINT_TO_POINTER(answer.id), NULL, &task)) {
        finish(task, &answer);
        g_object_unref(task);
    }
    return G_SOURCE_CONTINUE;
}

/* ---- Questions ------------------------------------------------------------------------------ */

static int to_family(GResolverNameLookupFlags flags)
{
    if (flags & G_RESOLVER_NAME_LOOKUP_FLAGS_IPV4_ONLY)
        return AF_INET;
    if (flags & G_RESOLVER_NAME_LOOKUP_FLAGS_IPV6_ONLY)
        return AF_INET6;
    return AF_UNSPEC;
}

static void lookup_async(GResolver *resolver, const char *name, GResolverNameLookupFlags flags,
                         GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
    CulvertResolver *self = CULVERT_RESOLVER(resolver);
    g_autoptr(GTask) task = g_task_new(self, cancellable, callback, data);
    ResolverQuestion question = {.id = ++self->last_id, .family = to_family(flags)};

    g_task_set_task_data(task, g_strdup(name), g_free);
    if (g_strlcpy(question.name, name, sizeof question.name) >= sizeof question.name) {
        finish(task, &(ResolverAnswer){.status = EAI_NONAME});
        return;
    }
    if (send(self->fd, &question, sizeof question, MSG_DONTWAIT | MSG_NOSIGNAL) < 0) {
        finish(task, &(ResolverAnswer){.status = errno == EAGAIN ? EAI_AGAIN : EAI_FAIL});
        return;
    }
    g_hash_table_insert(self->pending, GUINT_TO_POINTER(question.id), g_steal_pointer(&task));
}

gboolean resolver_ask_account(GTask *task)
{
    g_autoptr(GResolver) resolver = g_resolver_get_default();
    const AccountQuestion *account = account_question(task);
    ResolverQuestion question = {
        .kind = account->kind == CULVERT_ACCOUNT_USER ? RESOLVER_USER : RESOLVER_GROUP,
    };
    CulvertResolver *self;

    if (!G_TYPE_CHECK_INSTANCE_TYPE(resolver, CULVERT_TYPE_RESOLVER))
        return FALSE;
    self = CULVERT_RESOLVER(resolver);
    question.id = ++self->last_id;
    if (g_strlcpy(question.name, account->name, sizeof question.name) >= sizeof question.name)
        account_return(task, ENOENT, 0);
    else if (send(self->fd, &question, sizeof question, MSG_DONTWAIT | MSG_NOSIGNAL) < 0)
        account_return(task, errno, 0);
    else
        g_hash_table_insert(self->pending, GUINT_TO_POINTER(question.id), g_object_ref(task));
    return TRUE;
}

static void lookup_by_name_async(GResolver *resolver, const char *name, GCancellable *cancellable,
                                 GAsyncReadyCallback callback, gpointer data)
{
    lookup_async(resolver, name, G_RESOLVER_NAME_LOOKUP_FLAGS_DEFAULT, cancellable, callback, data);
}

static GList *lookup_finish(GResolver *resolver, GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

/* ---- Life ----------------------------------------------------------------------------------- */

static void culvert_resolver_init(CulvertResolver *self)
{
    self->pending = g_hash_table_new_full(NULL, NULL, NULL, g_object_unref);
}

/* The process's default resolver is there to its end. */
static void culvert_resolver_class_init(CulvertResolverClass *klass)
{
    GResolverClass *resolver_class = G_RESOLVER_CLASS(klass);

    resolver_class->lookup_by_name_async = lookup_by_name_async;
    resolver_class->lookup_by_name_finish = lookup_finish;
    resolver_class->lookup_by_name_with_flags_async = lookup_async;
    resolver_class->lookup_by_name_with_flags_finish = lookup_finish;
}

static void use(int fd)
{
    g_autoptr(CulvertResolver) self = g_object_new(CULVERT_TYPE_RESOLVER, NULL);

    self->fd = fd;
    g_unix_fd_add(fd, G_IO_IN, answer_ready, self);
    g_resolver_set_default(G_RESOLVER(self));
}

gboolean culvert_resolver_start(GError **error)
{
    int fd = -1;

    if (!sandbox_start_process("culvert-names", resolver_process_run, &fd, error))
        return FALSE;
    if (fd >= 0)
        use(fd);
    return TRUE;
}
