/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-qr.c: a profile as a QR code. See editor-qr.h.
 */
#include "config.h"

#include "editor-qr.h"

#include <glib/gi18n-lib.h>
#include <qrencode.h>
#include <string.h>

#include "editor-compat.h"
#include "profile/culvert-import.h"
#include "wireguard/wg-crypto.h"

/* ISO/IEC 18004: light modules around the code. */
#define QUIET_ZONE 4

/* How large the code is to be, in pixels, and a module at the least. */
#define CODE_SIZE  360
#define MODULE_MIN 3

typedef struct {
    GtkBuilder *builder;
    GtkWidget *dialog;
    NMConnection *connection;
    QRcode *code; /* NULL: not asked for yet */
} Window;

static GtkWidget *widget(Window *window, const char *name)
{
    return GTK_WIDGET(gtk_builder_get_object(window->builder, name));
}

static void window_free(gpointer data)
{
    Window *window = data;

    if (window->code) {
        wg_wipe(window->code->data, (gsize) window->code->width * window->code->width);
        QRcode_free(window->code);
    }
    g_object_unref(window->builder);
    g_object_unref(window->connection);
    g_free(window);
}

/* Dark on light in dark style, too: not all phones read the reverse. */
static void draw(GtkDrawingArea *area, cairo_t *cairo, int width, int height, gpointer user_data)
{
    const Window *window = user_data;
    int modules = window->code ? window->code->width : 0;
    int size = MIN(width, height) / (modules + 2 * QUIET_ZONE);

    cairo_set_antialias(cairo, CAIRO_ANTIALIAS_NONE);
    cairo_set_source_rgb(cairo, 1, 1, 1);
    cairo_paint(cairo);
    cairo_set_source_rgb(cairo, 0, 0, 0);
    for (int i = 0; i < modules * modules; i++) {
        if (window->code->data[i] & 1)
            cairo_rectangle(cairo, (i % modules + QUIET_ZONE) * size,
                            (i / modules + QUIET_ZONE) * size, size, size);
    }
    cairo_fill(cairo);
}

static gboolean encode(Window *window, GError **error)
{
    g_autoptr(CulvertConf) conf = culvert_export_conf(window->connection, error);
    g_autoptr(GBytes) text = NULL;
    gconstpointer data;
    gsize length;

    if (!conf)
        return FALSE;
    if (!conf->profile->private_key) {
        g_set_error(error, CULVERT_PROFILE_ERROR, CULVERT_PROFILE_ERROR_MISSING_SECRET,
                    _("There is no code without the private key: enter it first."));
        return FALSE;
    }
    text = culvert_conf_format(conf);
    data = g_bytes_get_data(text, &length);
    window->code = QRcode_encodeData(length, data, 0, QR_ECLEVEL_L);
    if (!window->code)
        g_set_error(error, CULVERT_PROFILE_ERROR, CULVERT_PROFILE_ERROR_INVALID,
                    _("The profile is too large for a QR code: export it to a file instead."));
    return window->code != NULL;
}

static void show_answer(Window *window)
{
    g_autoptr(GError) error = NULL;
    gboolean encoded = encode(window, &error);
    int modules = encoded ? window->code->width + 2 * QUIET_ZONE : 1;
    int size = modules * MAX(CODE_SIZE / modules, MODULE_MIN);

    culvert_set_shown(widget(window, "question"), FALSE);
    culvert_set_shown(widget(window, "answer"), TRUE);
    culvert_set_shown(widget(window, "code"), encoded);
    culvert_set_shown(widget(window, "fault"), !encoded);
    gtk_label_set_text(GTK_LABEL(widget(window, "fault")), error ? error->message : "");
    culvert_area_set_size(widget(window, "code"), size, size);
    gtk_widget_grab_focus(widget(window, "close"));
}

static void on_show(GtkButton *button, gpointer window)
{
    show_answer(window);
}

static void on_close(GtkButton *button, gpointer user_data)
{
    Window *window = user_data;

    culvert_window_destroy(GTK_WINDOW(window->dialog));
}

/* Escape, or the window's own button. */
static void on_response(GtkDialog *dialog, int response, gpointer user_data)
{
    culvert_window_destroy(GTK_WINDOW(dialog));
}

static void connect_signals(Window *window)
{
    g_signal_connect(widget(window, "show"), "clicked", G_CALLBACK(on_show), window);
    g_signal_connect(widget(window, "cancel"), "clicked", G_CALLBACK(on_close), window);
    g_signal_connect(widget(window, "close"), "clicked", G_CALLBACK(on_close), window);
    g_signal_connect(window->dialog, "response", G_CALLBACK(on_response), window);
    g_object_set_data_full(G_OBJECT(window->dialog), "culvert-window", window, window_free);
}

void culvert_editor_qr_show(GtkWindow *parent, NMConnection *connection)
{
    Window *window = g_new0(Window, 1);

    window->connection = g_object_ref(connection);
    window->builder = gtk_builder_new();
    gtk_builder_set_translation_domain(window->builder, GETTEXT_PACKAGE);
    gtk_builder_add_from_resource(window->builder, CULVERT_RESOURCE "culvert-qr.ui", NULL);
    /* A dialog, which knows Escape. */
    window->dialog = gtk_dialog_new();
    g_object_set(window->dialog, "title", _("QR Code"), "modal", TRUE, "resizable", FALSE,
                 "transient-for", parent, "destroy-with-parent", TRUE, NULL);
    culvert_box_append(gtk_dialog_get_content_area(GTK_DIALOG(window->dialog)),
                       widget(window, "content"));
    culvert_area_set_draw(widget(window, "code"), draw, window);
    connect_signals(window);
    culvert_show_all(widget(window, "content"));
    culvert_set_shown(widget(window, "answer"), FALSE);
    gtk_window_present(GTK_WINDOW(window->dialog));
    gtk_widget_grab_focus(widget(window, "cancel"));
}
