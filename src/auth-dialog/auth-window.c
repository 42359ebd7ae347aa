/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * auth-window.c: asking for keys with GTK 4. See auth-window.h.
 *
 * A key that is stored is never shown: its entry is empty, and stays so to keep the key. What is
 * typed is in memory that GTK locks and wipes (GtkPasswordEntryBuffer), and has no undo, which
 * would keep copies elsewhere.
 */
#include "config.h"

#include "auth-window.h"

#include <glib/gi18n.h>
#include <gtk/gtk.h>
#include <string.h>

#include "wireguard/wg-crypto.h"

#define SPACING   12
#define NEAR      6
#define MARGIN    18
#define KEY_WIDTH (WG_KEY_BASE64_SIZE - 1) /* characters */

typedef struct {
    const AuthQuestion *question;
    GtkWindow *window;
    GtkWidget *connect;
    GPtrArray *rows; /* of Row */
    gboolean done;
    gboolean accepted;
} AuthWindow;

/* One key. */
typedef struct {
    AuthWindow *owner;
    AuthField *field;
    GtkWidget *entry;
    GtkWidget *fault;
} Row;

/* ---- Whether it is a key -------------------------------------------------------------------- */

/* What was typed or pasted, without the white space around it; secret memory, for
 * wg_secret_free(), of strlen() + 1 bytes. */
static char *get_text(const Row *row)
{
    const char *text = gtk_editable_get_text(GTK_EDITABLE(row->entry));
    gsize length;
    char *copy;

    while (g_ascii_isspace(*text))
        text++;
    length = strlen(text);
    while (length > 0 && g_ascii_isspace(text[length - 1]))
        length--;
    copy = wg_secret_alloc0(length + 1);
    memcpy(copy, text, length);
    return copy;
}

static gboolean is_key(const Row *row, const char *text, GError **error)
{
    g_autoptr(CulvertProfile) scratch = culvert_profile_new();
    gpointer object = row->field->option->scope == CULVERT_SCOPE_PEER
                          ? (gpointer) culvert_profile_add_peer(scratch)
                          : scratch;

    return culvert_option_parse(row->field->option, text, object, error);
}

/* The messages of the option table are half sentences. */
static char *sentence(const char *message)
{
    g_autofree char *first = g_utf8_strup(message, g_utf8_next_char(message) - message);

    return g_strconcat(first, g_utf8_next_char(message), NULL);
}

static void show_fault(const Row *row, const GError *fault)
{
    g_autofree char *text = fault ? sentence(fault->message) : NULL;

    gtk_label_set_text(GTK_LABEL(row->fault), text ? text : "");
    gtk_widget_set_visible(row->fault, fault != NULL);
    if (fault)
        gtk_widget_add_css_class(row->entry, "error");
    else
        gtk_widget_remove_css_class(row->entry, "error");
    gtk_accessible_update_state(GTK_ACCESSIBLE(row->entry), GTK_ACCESSIBLE_STATE_INVALID,
                                fault ? GTK_ACCESSIBLE_INVALID_TRUE : GTK_ACCESSIBLE_INVALID_FALSE,
                                -1);
}

/* An entry that nobody has filled in yet is no fault, but nothing to go on with either. */
static gboolean check_row(const Row *row)
{
    g_autoptr(GError) fault = NULL;
    char *text = get_text(row);
    gboolean is_empty = text[0] == '\0';
    gboolean is_good = is_empty ? row->field->value != NULL : is_key(row, text, &fault);

    show_fault(row, fault);
    wg_secret_free(text, strlen(text) + 1);
    return is_good;
}

static void check(AuthWindow *self)
{
    gboolean is_good = TRUE;

    for (guint i = 0; i < self->rows->len; i++)
        is_good &= check_row(g_ptr_array_index(self->rows, i));
    gtk_widget_set_sensitive(self->connect, is_good);
}

/* ---- What the user does --------------------------------------------------------------------- */

static void finish(AuthWindow *self, gboolean accepted)
{
    self->done = TRUE;
    self->accepted = accepted;
    /* Inside a callback nobody but the main loop would see it. */
    g_main_context_wakeup(NULL);
}

static void on_changed(GtkEditable *entry, AuthWindow *self)
{
    check(self);
}

static void on_connect(GtkButton *button, AuthWindow *self)
{
    finish(self, TRUE);
}

static void on_cancel(GtkButton *button, AuthWindow *self)
{
    finish(self, FALSE);
}

static gboolean on_close(GtkWindow *window, AuthWindow *self)
{
    finish(self, FALSE);
    return TRUE;
}

static gboolean on_escape(GtkWidget *window, GVariant *args, gpointer self)
{
    finish(self, FALSE);
    return TRUE;
}

static void on_cancelled(GCancellable *cancellable, AuthWindow *self)
{
    finish(self, FALSE);
}

static void on_show(GtkCheckButton *button, AuthWindow *self)
{
    for (guint i = 0; i < self->rows->len; i++) {
        const Row *row = g_ptr_array_index(self->rows, i);

        gtk_text_set_visibility(GTK_TEXT(gtk_editable_get_delegate(GTK_EDITABLE(row->entry))),
                                gtk_check_button_get_active(button));
    }
}

/* ---- What there is to see ------------------------------------------------------------------- */

static GtkWidget *new_label(const char *text)
{
    GtkWidget *label = gtk_label_new(text);

    gtk_label_set_wrap(GTK_LABEL(label), TRUE);
    gtk_label_set_xalign(GTK_LABEL(label), 0);
    return label;
}

/* The label's first letter is the mnemonic: with Alt it goes round the entries that have it. */
static GtkWidget *new_entry_label(const Row *row)
{
    g_autofree char *text = g_strconcat("_", row->field->label, NULL);
    GtkWidget *label = gtk_label_new_with_mnemonic(text);

    gtk_label_set_xalign(GTK_LABEL(label), 1);
    gtk_label_set_mnemonic_widget(GTK_LABEL(label), row->entry);
    return label;
}

static GtkWidget *new_entry(AuthWindow *self, const Row *row)
{
    GtkWidget *entry = gtk_password_entry_new();

    gtk_widget_set_hexpand(entry, TRUE);
    gtk_editable_set_width_chars(GTK_EDITABLE(entry), KEY_WIDTH);
    gtk_editable_set_enable_undo(GTK_EDITABLE(entry), FALSE);
    g_object_set(entry, "activates-default", TRUE, "placeholder-text",
                 row->field->value ? _("Leave empty to keep the stored key") : NULL, NULL);
    g_signal_connect(entry, "changed", G_CALLBACK(on_changed), self);
    return entry;
}

static void add_row(AuthWindow *self, GtkGrid *grid, AuthField *field)
{
    Row *row = g_new0(Row, 1);
    int line = 2 * self->rows->len;

    row->owner = self;
    row->field = field;
    row->entry = new_entry(self, row);
    row->fault = new_label("");
    gtk_widget_set_visible(row->fault, FALSE);
    gtk_widget_add_css_class(row->fault, "error");
    gtk_accessible_update_relation(GTK_ACCESSIBLE(row->entry), GTK_ACCESSIBLE_RELATION_DESCRIBED_BY,
                                   row->fault, NULL, -1);
    gtk_grid_attach(grid, new_entry_label(row), 0, line, 1, 1);
    gtk_grid_attach(grid, row->entry, 1, line, 1, 1);
    gtk_grid_attach(grid, row->fault, 1, line + 1, 1, 1);
    g_ptr_array_add(self->rows, row);
}

static GtkWidget *new_body(AuthWindow *self, GPtrArray *fields)
{
    g_autofree char *text = auth_question_text(self->question);
    GtkWidget *body = gtk_box_new(GTK_ORIENTATION_VERTICAL, SPACING);
    GtkWidget *grid = gtk_grid_new();
    GtkWidget *show = gtk_check_button_new_with_mnemonic(_("_Show keys"));

    gtk_widget_set_margin_top(body, MARGIN);
    gtk_widget_set_margin_bottom(body, MARGIN);
    gtk_widget_set_margin_start(body, MARGIN);
    gtk_widget_set_margin_end(body, MARGIN);
    gtk_grid_set_column_spacing(GTK_GRID(grid), SPACING);
    gtk_grid_set_row_spacing(GTK_GRID(grid), NEAR);
    for (guint i = 0; i < fields->len; i++) {
        AuthField *field = g_ptr_array_index(fields, i);

        if (field->ask)
            add_row(self, GTK_GRID(grid), field);
    }
    g_signal_connect(show, "toggled", G_CALLBACK(on_show), self);
    gtk_grid_attach(GTK_GRID(grid), show, 1, 2 * self->rows->len, 1, 1);
    gtk_box_append(GTK_BOX(body), new_label(text));
    gtk_box_append(GTK_BOX(body), grid);
    return body;
}

static GtkWidget *new_header(AuthWindow *self)
{
    GtkWidget *header = gtk_header_bar_new();
    GtkWidget *cancel = gtk_button_new_with_mnemonic(_("_Cancel"));

    self->connect = gtk_button_new_with_mnemonic(_("C_onnect"));
    gtk_widget_add_css_class(self->connect, "suggested-action");
    g_signal_connect(cancel, "clicked", G_CALLBACK(on_cancel), self);
    g_signal_connect(self->connect, "clicked", G_CALLBACK(on_connect), self);
    gtk_header_bar_set_show_title_buttons(GTK_HEADER_BAR(header), FALSE);
    gtk_header_bar_pack_start(GTK_HEADER_BAR(header), cancel);
    gtk_header_bar_pack_end(GTK_HEADER_BAR(header), self->connect);
    return header;
}

static void add_shortcuts(AuthWindow *self)
{
    GtkEventController *shortcuts = gtk_shortcut_controller_new();
    GtkShortcut *escape = gtk_shortcut_new(gtk_keyval_trigger_new(GDK_KEY_Escape, 0),
                                           gtk_callback_action_new(on_escape, self, NULL));

    gtk_shortcut_controller_add_shortcut(GTK_SHORTCUT_CONTROLLER(shortcuts), escape);
    gtk_widget_add_controller(GTK_WIDGET(self->window), shortcuts);
}

static void build(AuthWindow *self, GPtrArray *fields)
{
    self->window = GTK_WINDOW(gtk_window_new());
    gtk_window_set_title(self->window, _("Authenticate VPN"));
    gtk_window_set_icon_name(self->window, CULVERT_APP_ID);
    gtk_window_set_resizable(self->window, FALSE);
    gtk_window_set_titlebar(self->window, new_header(self));
    gtk_window_set_child(self->window, new_body(self, fields));
    gtk_window_set_default_widget(self->window, self->connect);
    g_signal_connect(self->window, "close-request", G_CALLBACK(on_close), self);
    add_shortcuts(self);
}

/* ---- The question --------------------------------------------------------------------------- */

static void take_answers(AuthWindow *self)
{
    for (guint i = 0; i < self->rows->len; i++) {
        const Row *row = g_ptr_array_index(self->rows, i);
        char *text = get_text(row);

        if (text[0])
            auth_field_set_value(row->field, text);
        wg_secret_free(text, strlen(text) + 1);
    }
}

static void run(AuthWindow *self, GCancellable *cancellable)
{
    gulong handler = g_cancellable_connect(cancellable, G_CALLBACK(on_cancelled), self, NULL);

    gtk_window_present(self->window);
    while (!self->done)
        g_main_context_iteration(NULL, TRUE);
    g_cancellable_disconnect(cancellable, handler);
}

gboolean auth_window_ask(const AuthQuestion *question, GPtrArray *fields, GCancellable *cancellable,
                         GError **error)
{
    AuthWindow self = {.question = question};

    g_set_prgname(CULVERT_APP_ID);
    if (!gtk_init_check()) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_NOT_SUPPORTED,
                    _("The VPN “%s” needs a key, and there is no display to ask for it on: use "
                      "“nmcli --ask connection up”"),
                    question->name);
        return FALSE;
    }
    self.rows = g_ptr_array_new_with_free_func(g_free);
    build(&self, fields);
    check(&self);
    run(&self, cancellable);
    if (self.accepted)
        take_answers(&self);
    else
        g_set_error_literal(error, G_IO_ERROR, G_IO_ERROR_CANCELLED, "");
    gtk_window_destroy(self.window);
    g_ptr_array_unref(self.rows);
    return self.accepted;
}
