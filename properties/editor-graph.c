/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-graph.c: the status at the top of the page. See editor-graph.h.
 */
#include "config.h"

#include "editor-graph.h"

#include <glib/gi18n-lib.h>

#include "editor-compat.h"
#include "editor-status.h"

/* A line at rest is at the bottom: below this rate, in bytes a second, nothing is blown up. */
#define RATE_MIN 1024.0

#define LINE_WIDTH 1.5
#define FILL_ALPHA 0.25
#define GRID_ALPHA 0.15

struct _CulvertEditorGraph {
    GtkBuilder *builder;
    GtkWidget *place;
    CulvertEditorStatus *status;
};

/* ---- The graph ------------------------------------------------------------------------------ */

static double find_top(const CulvertStatusRate *rates, guint n)
{
    double top = RATE_MIN;

    for (guint i = 0; i < n; i++)
        top = MAX(top, MAX(rates[i].rx, rates[i].tx));
    return top;
}

/* The newest value is at the right edge. */
static void trace(cairo_t *cairo, const CulvertStatusRate *rates, guint n, gboolean is_rx,
                  double top, int width, int height)
{
    double step = width / (double) (CULVERT_STATUS_HISTORY - 1);
    double usable = height - LINE_WIDTH * 2;

    for (guint i = 0; i < n; i++) {
        double rate = is_rx ? rates[i].rx : rates[i].tx;
        double x = width - (n - 1 - i) * step;

        cairo_line_to(cairo, x, height - LINE_WIDTH - rate / top * usable);
    }
}

static void draw_received(cairo_t *cairo, const CulvertStatusRate *rates, guint n, double top,
                          int width, int height)
{
    double step = width / (double) (CULVERT_STATUS_HISTORY - 1);

    trace(cairo, rates, n, TRUE, top, width, height);
    cairo_stroke_preserve(cairo);
    cairo_line_to(cairo, width, height);
    cairo_line_to(cairo, width - (n - 1) * step, height);
    cairo_close_path(cairo);
}

static void draw_grid(cairo_t *cairo, const GdkRGBA *color, int width, int height)
{
    cairo_set_source_rgba(cairo, color->red, color->green, color->blue, GRID_ALPHA);
    cairo_set_line_width(cairo, 1);
    cairo_rectangle(cairo, 0.5, 0.5, width - 1, height - 1);
    cairo_move_to(cairo, 0, height / 2 + 0.5);
    cairo_line_to(cairo, width, height / 2 + 0.5);
    cairo_stroke(cairo);
}

/* What is received is a filled line, what is sent a dashed one: not told apart by colour. */
static void draw(GtkDrawingArea *area, cairo_t *cairo, int width, int height, gpointer user_data)
{
    CulvertEditorGraph *self = user_data;
    guint n;
    const CulvertStatusRate *rates = culvert_editor_status_get_rates(self->status, &n);
    double top = find_top(rates, n);
    const double dashes[] = {4, 3};
    GdkRGBA color;

    culvert_get_color(GTK_WIDGET(area), &color);
    draw_grid(cairo, &color, width, height);
    if (n < 2)
        return;
    cairo_set_line_width(cairo, LINE_WIDTH);
    gdk_cairo_set_source_rgba(cairo, &color);
    draw_received(cairo, rates, n, top, width, height);
    cairo_set_source_rgba(cairo, color.red, color.green, color.blue, FILL_ALPHA);
    cairo_fill(cairo);
    gdk_cairo_set_source_rgba(cairo, &color);
    cairo_set_dash(cairo, dashes, G_N_ELEMENTS(dashes), 0);
    trace(cairo, rates, n, FALSE, top, width, height);
    cairo_stroke(cairo);
}

/* ---- The facts ------------------------------------------------------------------------------ */

static void set_text(CulvertEditorGraph *self, const char *name, const char *text)
{
    gtk_label_set_text(GTK_LABEL(gtk_builder_get_object(self->builder, name)), text);
}

static char *format_time(gint64 since)
{
    g_autoptr(GDateTime) time = g_date_time_new_from_unix_local(since);

    return time ? g_date_time_format(time, "%X") : g_strdup("");
}

static char *format_state(const CulvertStatusNow *now)
{
    g_autofree char *time = format_time(now->since);

    if (g_str_equal(now->state, "connected"))
        return g_strdup_printf(_("Connected since %s"), time);
    if (g_str_equal(now->state, "silent"))
        return g_strdup_printf(_("The gateway has not answered since %s"), time);
    return g_strdup(_("Connecting"));
}

static char *format_gateway(const CulvertStatusNow *now)
{
    if (!now->endpoint_name[0] || g_str_equal(now->endpoint_name, now->endpoint))
        return g_strdup(now->endpoint);
    return g_strdup_printf("%s (%s)", now->endpoint_name, now->endpoint);
}

static char *format_age(gint64 seconds)
{
    guint minutes = MIN(seconds / 60, G_MAXUINT);

    if (seconds < 0)
        return g_strdup(_("Not yet"));
    if (minutes == 0)
        return g_strdup_printf(
            g_dngettext(GETTEXT_PACKAGE, "%u second ago", "%u seconds ago", (guint) seconds),
            (guint) seconds);
    return g_strdup_printf(g_dngettext(GETTEXT_PACKAGE, "%u minute ago", "%u minutes ago", minutes),
                           minutes);
}

static char *format_amount(guint64 bytes, double rate)
{
    g_autofree char *total = g_format_size(bytes);
    g_autofree char *per_second = g_format_size((guint64) rate);

    /* Translators: an amount of data, and how much of it a second */
    return g_strdup_printf(_("%s, now %s/s"), total, per_second);
}

/* What the graph shows, for those who cannot see it, too. */
static char *format_scale(const CulvertStatusRate *rates, guint n)
{
    g_autofree char *top = g_format_size((guint64) find_top(rates, n));

    return g_strdup_printf(_("Received (filled) and sent (dashed) in the last minute, up to %s/s"),
                           top);
}

static void show_facts(CulvertEditorGraph *self, const CulvertStatusNow *now)
{
    guint n;
    const CulvertStatusRate *rates = culvert_editor_status_get_rates(self->status, &n);
    CulvertStatusRate rate = n > 0 ? rates[n - 1] : (CulvertStatusRate){0};
    g_autofree char *state = format_state(now);
    g_autofree char *gateway = format_gateway(now);
    g_autofree char *handshake = format_age(now->handshake_age);
    g_autofree char *received = format_amount(now->rx_bytes, rate.rx);
    g_autofree char *sent = format_amount(now->tx_bytes, rate.tx);
    g_autofree char *scale = format_scale(rates, n);

    set_text(self, "status-scale", scale);
    set_text(self, "status-state", state);
    set_text(self, "status-gateway", gateway);
    set_text(self, "status-handshake", handshake);
    set_text(self, "status-received", received);
    set_text(self, "status-sent", sent);
}

static void on_changed(gpointer user_data)
{
    CulvertEditorGraph *self = user_data;
    const CulvertStatusNow *now = culvert_editor_status_get(self->status);

    culvert_set_shown(self->place, now != NULL);
    if (!now)
        return;
    show_facts(self, now);
    gtk_widget_queue_draw(GTK_WIDGET(gtk_builder_get_object(self->builder, "status-graph")));
}

/* ---- Object --------------------------------------------------------------------------------- */

CulvertEditorGraph *culvert_editor_graph_new(GtkWidget *place, const char *uuid)
{
    CulvertEditorGraph *self = g_new0(CulvertEditorGraph, 1);
    GtkWidget *box;

    self->builder = gtk_builder_new();
    gtk_builder_set_translation_domain(self->builder, GETTEXT_PACKAGE);
    gtk_builder_add_from_resource(self->builder, CULVERT_RESOURCE "culvert-status.ui", NULL);
    self->place = place;
    box = GTK_WIDGET(gtk_builder_get_object(self->builder, "status"));
    culvert_area_set_draw(GTK_WIDGET(gtk_builder_get_object(self->builder, "status-graph")), draw,
                          self);
    culvert_box_append(place, box);
    culvert_show_all(box);
    self->status = culvert_editor_status_new(NULL, uuid, on_changed, self);
    return self;
}

/* The host may keep the page longer. */
void culvert_editor_graph_free(CulvertEditorGraph *self)
{
    culvert_area_clear_draw(GTK_WIDGET(gtk_builder_get_object(self->builder, "status-graph")),
                            self);
    culvert_editor_status_free(self->status);
    g_object_unref(self->builder);
    g_free(self);
}
