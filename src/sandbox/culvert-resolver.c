/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-resolver.c: a GResolver that asks another process. It knows names and addresses alone,
 * which is what GNetworkAddress asks for; besides the numbers of accounts, and a question that goes
 * to chosen name servers.
 */
#include "config.h"

#include "culvert-resolver.h"

#include "account-private.h"
#include "resolver-channel.h"
#include "resolver-private.h"
#include "sandbox-private.h"

#include <errno.h>
#include <gio/gio.h>
#include <glib-unix.h>
#include <glib/gi18n-lib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#define CULVERT_TYPE_RESOLVER (culvert_resolver_get_type())
G_DECLARE_FINAL_TYPE(CulvertResolver, culvert_resolver, CULVERT, RESOLVER, GResolver)

struct _CulvertResolver {
    GResolver parent;
    int fd;
    guint32 last_id;
    GHashTable *pending; /* id: GTask */
};

G_DEFINE_FINAL_TYPE(CulvertResolver, culvert_resolver, G_TYPE_RESOLVER)

/* Of a task. */
typedef struct {
    char *name;
    GPtrArray *channels; /* of ResolverChannel; NULL: the system's resolver is asked */
    gulong cancelled_id;
} Request;

/* NULL: there is no process. */
static CulvertResolver *the_resolver;

static GHashTable *new_pending(void)
{
    return g_hash_table_new_full(NULL, NULL, NULL, g_object_unref);
}

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
    Request *request;
    GList *addresses = NULL;

    if (account_is_task(task)) {
        account_return(task, answer->status, answer->account);
        return;
    }
    request = g_task_get_task_data(task);
    g_cancellable_disconnect(g_task_get_cancellable(task), request->cancelled_id);
    request->cancelled_id = 0;
    if (answer->status != 0 || answer->n_addresses == 0) {
        int status = answer->status != 0 ? answer->status : EAI_NONAME;

        g_task_return_error(task, to_error(request->name, status));
        return;
    }
    for (guint i = 0; i < answer->n_addresses; i++)
        addresses = g_list_prepend(addresses, to_address(&answer->addresses[i]));
    g_task_return_pointer(task, g_list_reverse(addresses), free_addresses);
}

/* The other process is gone, or talks nonsense, and is not listened to any more: then it must not
 * be asked, either. It cannot be started again from in here. Whoever is told may ask at once. */
static void fail_all(CulvertResolver *self)
{
    g_autoptr(GHashTable) pending = g_steal_pointer(&self->pending);
    GHashTableIter iter;
    gpointer task;

    g_warning("The process that resolves names is gone: names cannot be resolved any more");
    self->pending = new_pending();
    shutdown(self->fd, SHUT_RDWR);
    g_hash_table_iter_init(&iter, pending);
    while (g_hash_table_iter_next(&iter, NULL, &task))
        finish(task, &(ResolverAnswer){.status = account_is_task(task) ? EPIPE : EAI_FAIL});
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

static void request_free(gpointer data)
{
    Request *request = data;

    g_clear_pointer(&request->channels, g_ptr_array_unref);
    g_free(request->name);
    g_free(request);
}

/* With the ends of the request's channels, if it has any. The errno of why not, 0: it is sent. */
static int send_question(CulvertResolver *self, const ResolverQuestion *question, Request *request)
{
    guint n = request->channels ? request->channels->len : 0;
    int ends[RESOLVER_SERVERS_MAX];
    int errsv = 0;

    for (guint i = 0; i < n; i++)
        ends[i] = resolver_channel_take_end(g_ptr_array_index(request->channels, i));
    if (!sandbox_message_send(self->fd, question, sizeof *question, ends, n, MSG_DONTWAIT))
        errsv = errno;
    for (guint i = 0; i < n; i++)
        close(ends[i]);
    return errsv;
}

/* Takes `task`. */
static void ask(CulvertResolver *self, GTask *task, int family)
{
    g_autoptr(GTask) owned = task;
    Request *request = g_task_get_task_data(task);
    ResolverQuestion question = {.id = ++self->last_id, .family = family};
    int errsv;

    if (g_strlcpy(question.name, request->name, sizeof question.name) >= sizeof question.name) {
        finish(task, &(ResolverAnswer){.status = EAI_NONAME});
        return;
    }
    errsv = send_question(self, &question, request);
    if (errsv != 0)
        finish(task, &(ResolverAnswer){.status = errsv == EAGAIN ? EAI_AGAIN : EAI_FAIL});
    else
        g_hash_table_insert(self->pending, GUINT_TO_POINTER(question.id), g_steal_pointer(&owned));
}

static GTask *make_task(const char *name, GCancellable *cancellable, GAsyncReadyCallback callback,
                        gpointer data)
{
    GTask *task = g_task_new(the_resolver, cancellable, callback, data);
    Request *request = g_new0(Request, 1);

    request->name = g_strdup(name);
    g_task_set_task_data(task, request, request_free);
    return task;
}

static void lookup_async(GResolver *resolver, const char *name, GResolverNameLookupFlags flags,
                         GCancellable *cancellable, GAsyncReadyCallback callback, gpointer data)
{
    ask(CULVERT_RESOLVER(resolver), make_task(name, cancellable, callback, data), to_family(flags));
}

gboolean resolver_ask_account(GTask *task)
{
    CulvertResolver *self = the_resolver;
    const AccountQuestion *account = account_question(task);
    ResolverQuestion question = {
        .kind = account->kind == CULVERT_ACCOUNT_USER ? RESOLVER_USER : RESOLVER_GROUP,
    };

    if (!self)
        return FALSE;
    question.id = ++self->last_id;
    if (g_strlcpy(question.name, account->name, sizeof question.name) >= sizeof question.name)
        account_return(task, ENOENT, 0);
    else if (!sandbox_message_send(self->fd, &question, sizeof question, NULL, 0, MSG_DONTWAIT))
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

/* ---- Questions to chosen servers ------------------------------------------------------------ */

/* The process sees its ends close, and answers; then the task ends. */
static void on_cancelled(GCancellable *cancellable, gpointer data)
{
    Request *request = g_task_get_task_data(data);

    g_clear_pointer(&request->channels, g_ptr_array_unref);
}

static void free_channel(gpointer channel)
{
    resolver_channel_free(channel);
}

/* Those that there is a way to. NULL and the last error if there is none. */
static GPtrArray *open_channels(GPtrArray *servers, guint ifindex, guint32 mark, GError **error)
{
    g_autoptr(GPtrArray) channels = g_ptr_array_new_with_free_func(free_channel);
    g_autoptr(GError) cause = NULL;

    for (guint i = 0; i < servers->len && channels->len < RESOLVER_SERVERS_MAX; i++) {
        ResolverChannel *channel;

        g_clear_error(&cause);
        channel = resolver_channel_new(g_ptr_array_index(servers, i), ifindex, mark, &cause);
        if (channel)
            g_ptr_array_add(channels, channel);
    }
    if (channels->len > 0)
        return g_steal_pointer(&channels);
    if (cause)
        g_propagate_error(error, g_steal_pointer(&cause));
    else
        g_set_error_literal(error, G_RESOLVER_ERROR, G_RESOLVER_ERROR_NOT_FOUND,
                            gai_strerror(EAI_NONAME));
    return NULL;
}

void culvert_resolver_ask_servers_async(const char *name, GPtrArray *servers, guint ifindex,
                                        guint32 mark, GCancellable *cancellable,
                                        GAsyncReadyCallback callback, gpointer user_data)
{
    g_autoptr(GTask) task = make_task(name, cancellable, callback, user_data);
    Request *request = g_task_get_task_data(task);
    GError *error = NULL;

    if (g_task_return_error_if_cancelled(task))
        return;
    if (!the_resolver)
        error = g_error_new_literal(G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED, g_strerror(EOPNOTSUPP));
    else
        request->channels = open_channels(servers, ifindex, mark, &error);
    if (error) {
        g_task_return_error(task, error);
        return;
    }
    if (cancellable)
        request->cancelled_id =
            g_cancellable_connect(cancellable, G_CALLBACK(on_cancelled), task, NULL);
    ask(the_resolver, g_steal_pointer(&task), AF_UNSPEC);
}

GList *culvert_resolver_ask_servers_finish(GAsyncResult *result, GError **error)
{
    return g_task_propagate_pointer(G_TASK(result), error);
}

/* ---- Life ----------------------------------------------------------------------------------- */

static void culvert_resolver_init(CulvertResolver *self)
{
    self->pending = new_pending();
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
    the_resolver = g_object_new(CULVERT_TYPE_RESOLVER, NULL);
    the_resolver->fd = fd;
    g_unix_fd_add(fd, G_IO_IN, answer_ready, the_resolver);
    g_resolver_set_default(G_RESOLVER(the_resolver));
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
