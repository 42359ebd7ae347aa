/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-form.c: the widgets of a .ui file, bound to the model. See editor-form.h.
 */
#include "config.h"

#include "editor-form.h"

#include <nma-ui-utils.h>

#include "editor-compat.h"
#include "editor-drop.h"

/* As between a label and its field in the .ui files. */
#define FAULT_SPACING 12

typedef struct {
    CulvertEditorForm *form;
    CulvertField field;
    GtkWidget *widget; /* NULL: the .ui file does not have it */
    GtkWidget *fault_row;
    GtkWidget *fault;
} Binding;

struct _CulvertEditorForm {
    CulvertEditorModel *model;
    GtkBuilder *builder;
    guint peer;
    CulvertFormEvents events;
    Binding bindings[CULVERT_N_FIELDS];
    GtkWidget *traffic;
    GtkWidget *networks_row;
    gboolean is_refreshing;
};

GtkWidget *culvert_editor_form_widget(CulvertEditorForm *form, const char *name)
{
    GObject *object = gtk_builder_get_object(form->builder, name);

    return object ? GTK_WIDGET(object) : NULL;
}

static void tell_changed(CulvertEditorForm *form)
{
    form->events.changed(form->events.user_data);
}

static gboolean is_secret(CulvertField field)
{
    return field == CULVERT_FIELD_PRIVATE_KEY || field == CULVERT_FIELD_PRESHARED_KEY;
}

/* From an entry that is not to be filled in libnma takes the focus, and with it the way back by the
 * keyboard. */
static void keep_reachable(const Binding *binding)
{
    NMSettingSecretFlags flags =
        culvert_editor_model_get_flags(binding->form->model, binding->field, binding->form->peer);
    gboolean is_filled_in =
        !(flags & (NM_SETTING_SECRET_FLAG_NOT_SAVED | NM_SETTING_SECRET_FLAG_NOT_REQUIRED));

    gtk_widget_set_can_focus(binding->widget, TRUE);
    gtk_editable_set_editable(GTK_EDITABLE(binding->widget), is_filled_in);
}

/* ---- What the user does --------------------------------------------------------------------- */

static void show_ethernet(CulvertEditorForm *form)
{
    for (guint i = 0; i < CULVERT_N_FIELDS; i++) {
        g_autofree char *row = g_strconcat(culvert_field_name(i), "-row", NULL);

        if (form->bindings[i].widget && culvert_field_is_ethernet(i))
            culvert_set_shown(culvert_editor_form_widget(form, row),
                              culvert_editor_model_is_ethernet(form->model));
    }
}

static void on_entry_changed(GtkWidget *entry, gpointer data)
{
    Binding *binding = data;
    CulvertEditorForm *form = binding->form;

    if (form->is_refreshing)
        return;
    culvert_editor_model_set(form->model, binding->field, form->peer,
                             culvert_entry_get_text(entry));
    if (is_secret(binding->field))
        keep_reachable(binding);
    tell_changed(form);
}

static void on_combo_changed(GtkComboBox *combo, gpointer data)
{
    Binding *binding = data;
    CulvertEditorForm *form = binding->form;
    const char *id = gtk_combo_box_get_active_id(combo);

    if (form->is_refreshing || !id)
        return;
    culvert_editor_model_set(form->model, binding->field, form->peer, id);
    if (binding->field == CULVERT_FIELD_DEVICE_TYPE)
        show_ethernet(form);
    tell_changed(form);
}

/* libnma has no signal for it; but it shows the choice as the icon in the entry. */
static void on_storage_changed(GObject *entry, GParamSpec *pspec, gpointer data)
{
    Binding *binding = data;
    CulvertEditorForm *form = binding->form;

    if (form->is_refreshing)
        return;
    culvert_editor_model_set_flags(form->model, binding->field, form->peer,
                                   nma_utils_menu_to_secret_flags(binding->widget));
    tell_changed(form);
}

static void show_networks(CulvertEditorForm *form)
{
    culvert_set_shown(form->networks_row,
                      !culvert_editor_model_get_all_traffic(form->model, form->peer));
}

static void on_traffic_changed(GtkComboBox *combo, gpointer data)
{
    CulvertEditorForm *form = data;

    if (form->is_refreshing)
        return;
    culvert_editor_model_set_all_traffic(form->model, form->peer,
                                         g_strcmp0(gtk_combo_box_get_active_id(combo), "all") == 0);
    show_networks(form);
    tell_changed(form);
}

/* ---- Binding -------------------------------------------------------------------------------- */

/* Under the field, and as far to the right: an empty label stands under the field's. */
static void add_fault_row(CulvertEditorForm *form, Binding *binding, const char *name)
{
    g_autofree char *row_name = g_strconcat(name, "-row", NULL);
    GtkWidget *space = gtk_label_new(NULL);
    GtkWidget *icon = gtk_image_new();

    binding->fault_row = gtk_box_new(GTK_ORIENTATION_HORIZONTAL, FAULT_SPACING);
    binding->fault = gtk_label_new(NULL);
    g_object_set(binding->fault, "xalign", 0.0, "wrap", TRUE, "width-chars", 8, "max-width-chars",
                 40, "hexpand", TRUE, NULL);
    /* Not by colour alone, and readable in dark style. */
    g_object_set(icon, "icon-name", "dialog-warning-symbolic", "valign", GTK_ALIGN_START, NULL);
    culvert_box_append(binding->fault_row, space);
    culvert_box_append(binding->fault_row, icon);
    culvert_box_append(binding->fault_row, binding->fault);
    gtk_size_group_add_widget(GTK_SIZE_GROUP(gtk_builder_get_object(form->builder, "labels")),
                              space);
    culvert_box_append(culvert_editor_form_widget(form, row_name), binding->fault_row);
    culvert_show_all(binding->fault_row);
}

/* There is no connecting without a private key, but there is without a preshared one. */
static void bind_secret(CulvertEditorForm *form, Binding *binding)
{
    nma_utils_setup_password_storage(
        binding->widget, culvert_editor_model_get_flags(form->model, binding->field, form->peer),
        NULL, NULL, binding->field == CULVERT_FIELD_PRESHARED_KEY, FALSE);
    culvert_entry_add_icon_key(binding->widget);
    g_signal_connect(binding->widget, "notify::secondary-icon-name", G_CALLBACK(on_storage_changed),
                     binding);
}

static void bind_field(CulvertEditorForm *form, CulvertField field)
{
    Binding *binding = &form->bindings[field];
    const char *name = culvert_field_name(field);

    binding->form = form;
    binding->field = field;
    binding->widget = culvert_editor_form_widget(form, name);
    if (!binding->widget)
        return;
    add_fault_row(form, binding, name);
    gtk_widget_set_tooltip_text(binding->widget, culvert_field_help(field));
    if (GTK_IS_COMBO_BOX(binding->widget)) {
        g_signal_connect(binding->widget, "changed", G_CALLBACK(on_combo_changed), binding);
        return;
    }
    if (is_secret(field))
        bind_secret(form, binding);
    g_signal_connect(binding->widget, "changed", G_CALLBACK(on_entry_changed), binding);
    culvert_drop_watch_entry(binding->widget, &form->events);
}

CulvertEditorForm *culvert_editor_form_new(CulvertEditorModel *model, const char *resource,
                                           guint peer, const CulvertFormEvents *events)
{
    CulvertEditorForm *form = g_new0(CulvertEditorForm, 1);

    form->model = model;
    form->peer = peer;
    form->events = *events;
    form->builder = gtk_builder_new();
    gtk_builder_set_translation_domain(form->builder, GETTEXT_PACKAGE);
    /* Aborts if the file has a fault: it is part of this program. */
    gtk_builder_add_from_resource(form->builder, resource, NULL);
    form->traffic = culvert_editor_form_widget(form, "traffic");
    form->networks_row = culvert_editor_form_widget(form, "allowed-ips-row");
    for (guint i = 0; i < CULVERT_N_FIELDS; i++)
        bind_field(form, i);
    g_signal_connect(form->traffic, "changed", G_CALLBACK(on_traffic_changed), form);
    return form;
}

/* The host may keep widgets longer than the form. */
void culvert_editor_form_free(CulvertEditorForm *form)
{
    for (guint i = 0; i < CULVERT_N_FIELDS; i++) {
        Binding *binding = &form->bindings[i];

        if (!binding->widget)
            continue;
        g_signal_handlers_disconnect_by_data(binding->widget, binding);
        if (GTK_IS_ENTRY(binding->widget))
            culvert_drop_unwatch_entry(binding->widget, &form->events);
    }
    g_signal_handlers_disconnect_by_data(form->traffic, form);
    g_object_unref(form->builder);
    g_free(form);
}

/* ---- What the model has --------------------------------------------------------------------- */

static void refresh_field(CulvertEditorForm *form, const Binding *binding)
{
    const char *text = culvert_editor_model_get(form->model, binding->field, form->peer);

    if (GTK_IS_COMBO_BOX(binding->widget)) {
        if (text[0])
            gtk_combo_box_set_active_id(GTK_COMBO_BOX(binding->widget), text);
        else /* the default comes first */
            gtk_combo_box_set_active(GTK_COMBO_BOX(binding->widget), 0);
        return;
    }
    /* First the storage: with some choices it empties the entry. */
    if (is_secret(binding->field))
        nma_utils_update_password_storage(
            binding->widget,
            culvert_editor_model_get_flags(form->model, binding->field, form->peer), NULL, NULL);
    culvert_entry_set_text(binding->widget, text);
    if (is_secret(binding->field))
        keep_reachable(binding);
}

void culvert_editor_form_refresh(CulvertEditorForm *form)
{
    gboolean all = culvert_editor_model_get_all_traffic(form->model, form->peer);

    form->is_refreshing = TRUE;
    for (guint i = 0; i < CULVERT_N_FIELDS; i++) {
        if (form->bindings[i].widget)
            refresh_field(form, &form->bindings[i]);
    }
    gtk_combo_box_set_active_id(GTK_COMBO_BOX(form->traffic), all ? "all" : "networks");
    show_networks(form);
    show_ethernet(form);
    form->is_refreshing = FALSE;
}

static void show_fault(CulvertEditorForm *form, const Binding *binding)
{
    g_autofree char *fault =
        culvert_editor_model_get_fault(form->model, binding->field, form->peer);

    culvert_set_shown(binding->fault_row, fault != NULL);
    gtk_label_set_text(GTK_LABEL(binding->fault), fault ? fault : "");
    culvert_describe_fault(binding->widget, fault);
    if (fault)
        culvert_add_class(binding->widget, "error");
    else
        culvert_remove_class(binding->widget, "error");
}

void culvert_editor_form_show_faults(CulvertEditorForm *form)
{
    for (guint i = 0; i < CULVERT_N_FIELDS; i++) {
        if (form->bindings[i].widget)
            show_fault(form, &form->bindings[i]);
    }
}

void culvert_editor_form_show_keys(CulvertEditorForm *form, gboolean show)
{
    for (guint i = 0; i < CULVERT_N_FIELDS; i++) {
        if (form->bindings[i].widget && is_secret(i))
            gtk_entry_set_visibility(GTK_ENTRY(form->bindings[i].widget), show);
    }
}
