/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-form.h: the widgets of a .ui file, each bound to the model's field of the same name.
 *
 * The widget of a field is an entry or, with a fixed choice, a combo box, and is called as
 * culvert_field_name() says. It is in a box NAME-row, to which is added what is wrong with it; the
 * labels of all rows are in the size group "labels". The combo box "traffic" chooses between all
 * traffic and allowed-ips. A .ui file need not have all fields. Main thread.
 */
#pragma once

#include <gtk/gtk.h>

#include "editor-model.h"

G_BEGIN_DECLS

typedef struct _CulvertEditorForm CulvertEditorForm;

/* What the owner of a form is told. */
typedef struct {
    void (*changed)(gpointer user_data);                     /* the user changed the model */
    void (*conf)(const char *text, gpointer user_data);      /* pasted a whole .conf */
    void (*conf_file)(const char *path, gpointer user_data); /* dropped a file */
    gpointer user_data;
} CulvertFormEvents;

/* culvert_editor_form_new: for the fields of `peer`, and those of this computer if the .ui file has
 * them. The model stays the caller's, and outlives the form. */
CulvertEditorForm *culvert_editor_form_new(CulvertEditorModel *model, const char *resource,
                                           guint peer, const CulvertFormEvents *events);
void culvert_editor_form_free(CulvertEditorForm *form);

/* culvert_editor_form_widget: borrowed. */
GtkWidget *culvert_editor_form_widget(CulvertEditorForm *form, const char *name);

/* culvert_editor_form_refresh: shows what the model has. */
void culvert_editor_form_refresh(CulvertEditorForm *form);

/* culvert_editor_form_show_faults: shows what is wrong with each field. */
void culvert_editor_form_show_faults(CulvertEditorForm *form);

void culvert_editor_form_show_keys(CulvertEditorForm *form, gboolean show);

G_END_DECLS
