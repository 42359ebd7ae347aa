/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-status.c: follows a connection's status. See editor-status.h.
 *
 * A service is found by asking each that runs which connection it has: at first, and whenever one
 * of them has signalled a change. From then on it is asked every second, until it does not answer
 * or has another connection.
 */
#include "editor-status.h"

#include <string.h>

#define SERVICE     "org.freedesktop.NetworkManager.culvert"
#define STATUS      SERVICE ".Status"
#define STATUS_PATH "/org/freedesktop/NetworkManager/culvert/Status"
#define DBUS        "org.freedesktop.DBus"
#define DBUS_PATH   "/org/freedesktop/DBus"

#define POLL_SECONDS    1
#define CALL_TIMEOUT_MS 5000

struct _CulvertEditorStatus {
    GDBusConnection *bus; /* NULL until it is there */
    GCancellable *cancellable;
    char *uuid;
    void (*changed)(gpointer user_data);
    gpointer user_data;

    guint signal_id;
    guint poll_id;
    guint n_asked; /* answers that are awaited while looking for the service */
    char *name;    /* bus name of the service that has the connection; NULL: none */

    CulvertStatusNow now;
    gint64 time_us; /* of `now`; 0: there is none */
    CulvertStatusRate rates[CULVERT_STATUS_HISTORY];
    guint n_rates;
};

/* A question that is under way. */
typedef struct {
    CulvertEditorStatus *status;
    char *name;
} Question;

/* ---- What was answered ---------------------------------------------------------------------- */

static void clear_now(CulvertEditorStatus *self)
{
    g_free(self->now.state);
    g_free(self->now.endpoint);
    g_free(self->now.endpoint_name);
    memset(&self->now, 0, sizeof(self->now));
    self->time_us = 0;
}

static char *take_string(GVariant *dict, const char *key)
{
    const char *text = "";

    g_variant_lookup(dict, key, "&s", &text);
    return g_strdup(text);
}

static void add_rate(CulvertEditorStatus *self, guint64 rx, guint64 tx, gint64 time_us)
{
    double seconds = (time_us - self->time_us) / (double) G_USEC_PER_SEC;

    if (self->time_us == 0 || seconds <= 0)
        return;
    if (rx < self->now.rx_bytes || tx < self->now.tx_bytes) { /* another tunnel */
        self->n_rates = 0;
        return;
    }
    if (self->n_rates == CULVERT_STATUS_HISTORY)
        memmove(self->rates, self->rates + 1, sizeof(self->rates[0]) * --self->n_rates);
    self->rates[self->n_rates].rx = (rx - self->now.rx_bytes) / seconds;
    self->rates[self->n_rates].tx = (tx - self->now.tx_bytes) / seconds;
    self->n_rates++;
}

/* Of the peer that is sent to at the endpoint in use, the handshake and the endpoint's name. There
 * may be no such peer just now. */
static void take_peers(CulvertEditorStatus *self, GVariant *peers)
{
    GVariantIter iter;
    GVariant *peer;

    self->now.handshake_age = -1;
    self->now.endpoint_name = g_strdup("");
    g_variant_iter_init(&iter, peers);
    while ((peer = g_variant_iter_next_value(&iter))) {
        const char *endpoint = "";
        guint64 age;

        g_variant_lookup(peer, "endpoint", "&s", &endpoint);
        if (g_str_equal(endpoint, self->now.endpoint)) {
            g_free(self->now.endpoint_name);
            self->now.endpoint_name = take_string(peer, "endpoint-name");
            if (g_variant_lookup(peer, "last-handshake-age", "t", &age))
                self->now.handshake_age = MIN(age, G_MAXINT64);
        }
        g_variant_unref(peer);
    }
}

static void take_answer(CulvertEditorStatus *self, GVariant *dict, GVariant *peers)
{
    gint64 time_us = g_get_monotonic_time();
    guint64 since = 0;
    guint64 rx = 0;
    guint64 tx = 0;

    g_variant_lookup(dict, "rx-bytes", "t", &rx);
    g_variant_lookup(dict, "tx-bytes", "t", &tx);
    g_variant_lookup(dict, "since", "t", &since);
    add_rate(self, rx, tx, time_us);
    clear_now(self);
    self->now.state = take_string(dict, "state");
    self->now.endpoint = take_string(dict, "endpoint");
    self->now.since = MIN(since, G_MAXINT64);
    self->now.rx_bytes = rx;
    self->now.tx_bytes = tx;
    self->time_us = time_us;
    take_peers(self, peers);
}

static void lose(CulvertEditorStatus *self)
{
    g_clear_pointer(&self->name, g_free);
    g_clear_handle_id(&self->poll_id, g_source_remove);
    clear_now(self);
    self->n_rates = 0;
    self->changed(self->user_data);
}

/* ---- Asking --------------------------------------------------------------------------------- */

static gboolean is_ours(CulvertEditorStatus *self, GVariant *dict)
{
    const char *uuid = "";

    g_variant_lookup(dict, "uuid", "&s", &uuid);
    return g_str_equal(uuid, self->uuid);
}

static void ask(CulvertEditorStatus *self, const char *name, GAsyncReadyCallback answered)
{
    Question *question = g_new0(Question, 1);

    question->status = self;
    question->name = g_strdup(name);
    g_dbus_connection_call(self->bus, name, STATUS_PATH, STATUS, "GetStatus", NULL,
                           G_VARIANT_TYPE("(a{sv}aa{sv})"), G_DBUS_CALL_FLAGS_NO_AUTO_START,
                           CALL_TIMEOUT_MS, self->cancellable, answered, question);
}

static void question_free(Question *question)
{
    g_free(question->name);
    g_free(question);
}

G_DEFINE_AUTOPTR_CLEANUP_FUNC(Question, question_free)

typedef enum {
    ANSWER_NONE,     /* nobody to tell any more: the editor has ended */
    ANSWER_NOT_OURS, /* or none at all */
    ANSWER_OURS,
} Answer;

static Answer finish(GObject *source, GAsyncResult *result, const Question *question,
                     GVariant **dict, GVariant **peers)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) answer =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return ANSWER_NONE;
    if (!answer)
        return ANSWER_NOT_OURS;
    g_variant_get(answer, "(@a{sv}@aa{sv})", dict, peers);
    return is_ours(question->status, *dict) ? ANSWER_OURS : ANSWER_NOT_OURS;
}

static void on_polled(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(Question) question = user_data;
    CulvertEditorStatus *self = question->status;
    g_autoptr(GVariant) dict = NULL;
    g_autoptr(GVariant) peers = NULL;
    Answer answer = finish(source, result, question, &dict, &peers);

    if (answer == ANSWER_NONE || g_strcmp0(self->name, question->name) != 0)
        return;
    if (answer == ANSWER_NOT_OURS) {
        lose(self);
        return;
    }
    take_answer(self, dict, peers);
    self->changed(self->user_data);
}

static gboolean poll(gpointer user_data)
{
    CulvertEditorStatus *self = user_data;

    ask(self, self->name, on_polled);
    return G_SOURCE_CONTINUE;
}

static void on_looked(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(Question) question = user_data;
    CulvertEditorStatus *self = question->status;
    g_autoptr(GVariant) dict = NULL;
    g_autoptr(GVariant) peers = NULL;
    Answer answer = finish(source, result, question, &dict, &peers);

    if (answer == ANSWER_NONE)
        return;
    self->n_asked--;
    if (answer == ANSWER_NOT_OURS || self->name)
        return;
    self->name = g_strdup(question->name);
    self->poll_id = g_timeout_add_seconds(POLL_SECONDS, poll, self);
    take_answer(self, dict, peers);
    self->changed(self->user_data);
}

/* ---- Looking for the service ---------------------------------------------------------------- */

static gboolean is_service(const char *name)
{
    gsize length = strlen(SERVICE);

    return g_str_has_prefix(name, SERVICE) && (name[length] == '\0' || name[length] == '.');
}

static void on_names(GObject *source, GAsyncResult *result, gpointer user_data)
{
    CulvertEditorStatus *self = user_data;
    g_autoptr(GError) error = NULL;
    g_autoptr(GVariant) answer =
        g_dbus_connection_call_finish(G_DBUS_CONNECTION(source), result, &error);
    g_autofree const char **names = NULL;

    if (g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        return;
    self->n_asked--;
    if (!answer)
        return;
    g_variant_get(answer, "(^a&s)", &names);
    for (guint i = 0; names[i]; i++) {
        if (is_service(names[i])) {
            self->n_asked++;
            ask(self, names[i], on_looked);
        }
    }
}

static void look(CulvertEditorStatus *self)
{
    if (self->name || self->n_asked > 0)
        return;
    self->n_asked++;
    g_dbus_connection_call(self->bus, DBUS, DBUS_PATH, DBUS, "ListNames", NULL,
                           G_VARIANT_TYPE("(as)"), G_DBUS_CALL_FLAGS_NONE, CALL_TIMEOUT_MS,
                           self->cancellable, on_names, self);
}

/* Anybody could have sent it: it is only a reason to look. */
static void on_properties_changed(GDBusConnection *bus, const char *sender, const char *path,
                                  const char *interface, const char *signal, GVariant *parameters,
                                  gpointer user_data)
{
    look(user_data);
}

static void use_bus(CulvertEditorStatus *self, GDBusConnection *bus)
{
    self->bus = g_object_ref(bus);
    self->signal_id = g_dbus_connection_signal_subscribe(
        bus, NULL, "org.freedesktop.DBus.Properties", "PropertiesChanged", STATUS_PATH, STATUS,
        G_DBUS_SIGNAL_FLAGS_NONE, on_properties_changed, self, NULL);
    look(self);
}

static void on_bus(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GError) error = NULL;
    g_autoptr(GDBusConnection) bus = g_bus_get_finish(result, &error);

    /* GTask: once it is cancelled there is always this error, and `user_data` is gone. */
    if (bus)
        use_bus(user_data, bus);
    else if (!g_error_matches(error, G_IO_ERROR, G_IO_ERROR_CANCELLED))
        g_debug("No system bus, so no status: %s", error->message);
}

/* ---- Object --------------------------------------------------------------------------------- */

CulvertEditorStatus *culvert_editor_status_new(GDBusConnection *bus, const char *uuid,
                                               void (*changed)(gpointer user_data),
                                               gpointer user_data)
{
    CulvertEditorStatus *self = g_new0(CulvertEditorStatus, 1);

    self->uuid = g_strdup(uuid);
    self->changed = changed;
    self->user_data = user_data;
    self->cancellable = g_cancellable_new();
    if (bus)
        use_bus(self, bus);
    else
        g_bus_get(G_BUS_TYPE_SYSTEM, self->cancellable, on_bus, self);
    return self;
}

void culvert_editor_status_free(CulvertEditorStatus *self)
{
    g_cancellable_cancel(self->cancellable);
    g_object_unref(self->cancellable);
    g_clear_handle_id(&self->poll_id, g_source_remove);
    if (self->signal_id)
        g_dbus_connection_signal_unsubscribe(self->bus, self->signal_id);
    g_clear_object(&self->bus);
    clear_now(self);
    g_free(self->name);
    g_free(self->uuid);
    g_free(self);
}

const CulvertStatusNow *culvert_editor_status_get(CulvertEditorStatus *self)
{
    return self->time_us != 0 ? &self->now : NULL;
}

const CulvertStatusRate *culvert_editor_status_get_rates(CulvertEditorStatus *self, guint *n)
{
    *n = self->n_rates;
    return self->rates;
}
