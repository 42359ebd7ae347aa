/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-uapi.c: the configuration socket: its file, its clients, their lines and the answers.
 *
 * A client may send half a line and wait, send nothing at all, or hang up before its answer:
 * everything is asynchronous and bounded, and the tunnel's packets have threads of their own.
 */
#include "config.h"

#include "culvert-uapi.h"

#include <errno.h>
#include <gio/gunixsocketaddress.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "uapi-device.h"
#include "uapi-request.h"

#define SOCKET_DIR "/var/run/wireguard"

/* Between two tries to accept a client for which there is no descriptor. */
#define ACCEPT_PAUSE_MS 500

/* Read at once; a request of ten thousand peers has a few megabytes. */
#define READ_SIZE 65536

/* Beyond this many, the one that has been silent longest makes room. */
#define CLIENTS_MAX 64

/* A client that leaves half a request lying makes room after this long. */
#define CLIENT_TIMEOUT_S 30

struct _CulvertUapi {
    GObject parent_instance;
    CulvertTunnel *tunnel;
    gboolean read_only;
    char *path;
    GSocket *listener;
    GSource *accept_source;
    GFileMonitor *monitor;
    GPtrArray *clients; /* of Client, held */
};

typedef struct {
    CulvertUapi *uapi; /* borrowed; NULL once it has hung up */
    GSocketConnection *connection;
    GSource *source; /* NULL while an answer is being sent */
    UapiReader *reader;
    GByteArray *input; /* what has been read and not been looked at */
    GString *answer;
    gint64 active; /* g_get_monotonic_time() of its last sign of life */
} Client;

G_DEFINE_TYPE(CulvertUapi, culvert_uapi, G_TYPE_OBJECT)

static guint removed_signal, configured_signal;

static void read_more(Client *client);

/* ---- Answers -------------------------------------------------------------------------------- */

static void clear_answer(Client *client)
{
    if (!client->answer)
        return;
    wg_wipe(client->answer->str, client->answer->allocated_len);
    g_string_free(g_steal_pointer(&client->answer), TRUE);
}

static void client_clear(gpointer data)
{
    Client *client = data;

    clear_answer(client);
    g_object_unref(client->connection);
    uapi_reader_free(client->reader);
    wg_wipe(client->input->data, client->input->len);
    g_byte_array_unref(client->input);
}

/* An answer under way keeps the client's memory. */
static void client_hang_up(gpointer data)
{
    Client *client = data;

    client->uapi = NULL;
    if (client->source)
        g_source_destroy(client->source);
    g_clear_pointer(&client->source, g_source_unref);
    g_io_stream_close(G_IO_STREAM(client->connection), NULL, NULL);
    g_rc_box_release_full(client, client_clear);
}

static void drop_client(Client *client)
{
    CulvertUapi *self = client->uapi;

    g_ptr_array_remove_fast(self->clients, client);
}

static void answer_sent(GObject *source, GAsyncResult *result, gpointer data)
{
    Client *client = data;
    gboolean sent = g_output_stream_write_all_finish(G_OUTPUT_STREAM(source), result, NULL, NULL);

    clear_answer(client);
    client->active = g_get_monotonic_time();
    if (client->uapi && sent)
        read_more(client);
    else if (client->uapi)
        drop_client(client);
    g_rc_box_release_full(client, client_clear);
}

static void send_answer(Client *client)
{
    GOutputStream *stream = g_io_stream_get_output_stream(G_IO_STREAM(client->connection));

    g_output_stream_write_all_async(stream, client->answer->str, client->answer->len,
                                    G_PRIORITY_DEFAULT, NULL, answer_sent,
                                    g_rc_box_acquire(client));
}

/* `wg` wants the number negative after set and positive after get (wireguard-tools,
 * ipc-uapi.h). */
static void answer_errno(Client *client, int number)
{
    if (!client->answer)
        client->answer = g_string_new(NULL);
    g_string_append_printf(client->answer, "errno=%d\n\n", number);
    send_answer(client);
}

static void apply_set(Client *client)
{
    g_autoptr(UapiSet) set = uapi_reader_take_set(client->reader);
    CulvertUapi *self = client->uapi;
    int errsv = self->read_only ? EPERM : uapi_device_apply(self->tunnel, set);

    if (errsv == 0)
        g_signal_emit(self, configured_signal, 0);
    answer_errno(client, -errsv);
}

static void answer_wrong(Client *client)
{
    guint line;
    int errsv = uapi_reader_get_errno(client->reader, &line);

    /* Root's own request: `wg` says no more than the errno. */
    g_message("Refused a configuration request: line %u: %s", line, g_strerror(errsv));
    answer_errno(client, -errsv);
}

/* FALSE: an answer is being sent, or the client is gone. */
static gboolean take_line(Client *client, const char *line, gsize len)
{
    switch (uapi_reader_line(client->reader, line, len)) {
    case UAPI_MORE:
        return TRUE;
    case UAPI_GET:
        client->answer = uapi_device_print(client->uapi->tunnel);
        answer_errno(client, 0);
        return FALSE;
    case UAPI_SET:
        apply_set(client);
        return FALSE;
    case UAPI_WRONG:
        answer_wrong(client);
        return FALSE;
    case UAPI_CLOSE:
        drop_client(client);
        return FALSE;
    }
    g_assert_not_reached();
}

/* ---- Input ---------------------------------------------------------------------------------- */

static void remove_input(GByteArray *input, gsize len)
{
    /* Shifted down; what stays behind at the end may be a key. */
    g_byte_array_remove_range(input, 0, (guint) len);
    wg_wipe(input->data + input->len, len);
}

/* TRUE: all complete lines were taken, and more input is wanted. */
static gboolean take_lines(Client *client)
{
    GByteArray *input = client->input;
    gsize used = 0;
    gboolean more = TRUE;
    const guint8 *end;

    while (more && (end = memchr(input->data + used, '\n', input->len - used))) {
        const char *line = (const char *) input->data + used;
        gsize len = (gsize) (end - (input->data + used));

        used += len + 1;
        /* The client may be gone afterwards, its input is not: it is held here. */
        more = take_line(client, line, len);
    }
    remove_input(input, used);
    if (more && input->len > UAPI_LINE_MAX) {
        drop_client(client);
        return FALSE;
    }
    return more;
}

static gssize receive(Client *client)
{
    GSocket *socket = g_socket_connection_get_socket(client->connection);
    guint old = client->input->len;
    gssize n;

    g_byte_array_set_size(client->input, old + READ_SIZE);
    n = g_socket_receive_with_blocking(socket, (char *) client->input->data + old, READ_SIZE, FALSE,
                                       NULL, NULL);
    g_byte_array_set_size(client->input, old + (guint) MAX(n, 0));
    return n;
}

static gboolean input_ready(GSocket *socket, GIOCondition condition, gpointer data)
{
    Client *client = g_rc_box_acquire((Client *) data);
    gboolean go_on = FALSE;

    client->active = g_get_monotonic_time();
    if (receive(client) <= 0)
        drop_client(client);
    else
        go_on = take_lines(client);
    if (!go_on)
        g_clear_pointer(&client->source, g_source_unref);
    g_rc_box_release_full(client, client_clear);
    return go_on ? G_SOURCE_CONTINUE : G_SOURCE_REMOVE;
}

/* Lines that came with the last request first, then wait. */
static void read_more(Client *client)
{
    GSocket *socket = g_socket_connection_get_socket(client->connection);

    if (client->input->len > 0 && !take_lines(client))
        return;
    client->source = g_socket_create_source(socket, G_IO_IN, NULL);
    g_source_set_callback(client->source, G_SOURCE_FUNC(input_ready), client, NULL);
    g_source_attach(client->source, g_main_context_get_thread_default());
}

static void add_client(CulvertUapi *self, GSocket *socket)
{
    Client *client = g_rc_box_new0(Client);

    client->uapi = self;
    g_socket_set_timeout(socket, CLIENT_TIMEOUT_S);
    client->connection = g_socket_connection_factory_create_connection(socket);
    client->reader = uapi_reader_new();
    /* Never grown, so that no copy of a key stays behind in freed memory. */
    client->input = g_byte_array_sized_new(UAPI_LINE_MAX + READ_SIZE);
    client->active = g_get_monotonic_time();
    g_ptr_array_add(self->clients, client);
    read_more(client);
}

static void make_room(CulvertUapi *self)
{
    Client *silent = NULL;

    if (self->clients->len < CLIENTS_MAX)
        return;
    for (guint i = 0; i < self->clients->len; i++) {
        Client *client = g_ptr_array_index(self->clients, i);

        if (!silent || client->active < silent->active)
            silent = client;
    }
    g_info("Hung up on a client of the configuration socket: there are %u", CLIENTS_MAX);
    drop_client(silent);
}

static void accept_clients(CulvertUapi *self);

static void set_accept_source(CulvertUapi *self, GSource *source, GSourceFunc func)
{
    if (self->accept_source)
        g_source_destroy(self->accept_source);
    g_clear_pointer(&self->accept_source, g_source_unref);
    self->accept_source = source;
    g_source_set_callback(source, func, self, NULL);
    g_source_attach(source, g_main_context_get_thread_default());
}

static gboolean pause_is_over(gpointer data)
{
    accept_clients(data);
    return G_SOURCE_REMOVE;
}

/* Out of descriptors, as a rule: the client goes on waiting, and trying again at once would leave
 * the thread no time for anything else. */
static void pause_accepting(CulvertUapi *self, const GError *error)
{
    g_info("Cannot hear a client of the configuration socket yet: %s", error->message);
    set_accept_source(self, g_timeout_source_new(ACCEPT_PAUSE_MS), pause_is_over);
}

static gboolean client_waiting(GSocket *listener, GIOCondition condition, gpointer data)
{
    CulvertUapi *self = data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GSocket) socket = g_socket_accept(listener, NULL, &error);

    if (socket) {
        make_room(self);
        add_client(self, socket);
    } else if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_WOULD_BLOCK)) {
        pause_accepting(self, error);
        return G_SOURCE_REMOVE;
    }
    return G_SOURCE_CONTINUE;
}

static void accept_clients(CulvertUapi *self)
{
    set_accept_source(self, g_socket_create_source(self->listener, G_IO_IN, NULL),
                      G_SOURCE_FUNC(client_waiting));
}

/* ---- The socket's file ---------------------------------------------------------------------- */

static gboolean somebody_answers(const char *path)
{
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(path);
    g_autoptr(GSocket) socket =
        g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, NULL);

    return socket && g_socket_connect(socket, address, NULL, NULL);
}

/* Bound elsewhere and moved into place while it already listens: `wg` deletes a socket that
 * refuses it. */
static gboolean listen_at(CulvertUapi *self, GError **error)
{
    g_autofree char *temporary = g_strdup_printf("%s.%d", self->path, (int) getpid());
    g_autoptr(GSocketAddress) address = g_unix_socket_address_new(temporary);
    mode_t old_umask;
    gboolean bound;

    self->listener =
        g_socket_new(G_SOCKET_FAMILY_UNIX, G_SOCKET_TYPE_STREAM, G_SOCKET_PROTOCOL_DEFAULT, error);
    if (!self->listener)
        return FALSE;
    g_socket_set_blocking(self->listener, FALSE);
    g_socket_set_listen_backlog(self->listener, CLIENTS_MAX);
    g_unlink(temporary);
    old_umask = umask(077);
    bound = g_socket_bind(self->listener, address, FALSE, error);
    umask(old_umask);
    if (!bound || !g_socket_listen(self->listener, error))
        return FALSE;
    if (g_rename(temporary, self->path) != 0) {
        int errsv = errno;

        g_unlink(temporary);
        g_set_error_literal(error, G_IO_ERROR, g_io_error_from_errno(errsv), g_strerror(errsv));
        return FALSE;
    }
    return TRUE;
}

static void file_changed(GFileMonitor *monitor, GFile *file, GFile *other, GFileMonitorEvent event,
                         gpointer data)
{
    CulvertUapi *self = data;

    if (event == G_FILE_MONITOR_EVENT_DELETED && !g_file_test(self->path, G_FILE_TEST_EXISTS))
        g_signal_emit(self, removed_signal, 0);
}

static gboolean watch_file(CulvertUapi *self, GError **error)
{
    g_autoptr(GFile) file = g_file_new_for_path(self->path);

    self->monitor = g_file_monitor_file(file, G_FILE_MONITOR_NONE, NULL, error);
    if (!self->monitor)
        return FALSE;
    g_signal_connect(self->monitor, "changed", G_CALLBACK(file_changed), self);
    return TRUE;
}

CulvertUapi *culvert_uapi_new(CulvertTunnel *tunnel, const char *name, gboolean read_only,
                              GError **error)
{
    g_autoptr(CulvertUapi) self = g_object_new(CULVERT_TYPE_UAPI, NULL);

    self->tunnel = g_object_ref(tunnel);
    self->read_only = read_only;
    self->path = g_strdup_printf(SOCKET_DIR "/%s.sock", name);
    g_mkdir_with_parents(SOCKET_DIR, 0755);
    if (somebody_answers(self->path)) {
        g_clear_pointer(&self->path, g_free); /* not ours to remove */
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_ADDRESS_IN_USE,
                    _("Another program already serves the interface “%s” (it answers on "
                      "%s/%s.sock). End it first, or choose another interface name."),
                    name, SOCKET_DIR, name);
        return NULL;
    }
    if (!listen_at(self, error) || !watch_file(self, error)) {
        g_prefix_error(error, _("Cannot open the configuration socket %s/%s.sock: "), SOCKET_DIR,
                       name);
        return NULL;
    }
    accept_clients(self);
    return g_steal_pointer(&self);
}

void culvert_uapi_close(CulvertUapi *self)
{
    if (self->monitor)
        g_file_monitor_cancel(self->monitor);
    g_clear_object(&self->monitor);
    if (self->accept_source)
        g_source_destroy(self->accept_source);
    g_clear_pointer(&self->accept_source, g_source_unref);
    if (self->listener && self->path)
        g_unlink(self->path);
    g_clear_object(&self->listener);
    g_ptr_array_set_size(self->clients, 0);
}

static void culvert_uapi_init(CulvertUapi *self)
{
    self->clients = g_ptr_array_new_with_free_func(client_hang_up);
}

static void culvert_uapi_finalize(GObject *object)
{
    CulvertUapi *self = CULVERT_UAPI(object);

    culvert_uapi_close(self);
    g_ptr_array_unref(self->clients);
    g_clear_object(&self->tunnel);
    g_free(self->path);
    G_OBJECT_CLASS(culvert_uapi_parent_class)->finalize(object);
}

static void culvert_uapi_class_init(CulvertUapiClass *klass)
{
    G_OBJECT_CLASS(klass)->finalize = culvert_uapi_finalize;
    removed_signal = g_signal_new("removed", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0, NULL,
                                  NULL, NULL, G_TYPE_NONE, 0);
    configured_signal = g_signal_new("configured", G_TYPE_FROM_CLASS(klass), G_SIGNAL_RUN_LAST, 0,
                                     NULL, NULL, NULL, G_TYPE_NONE, 0);
}
