/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-model-private.h: the form's data. For the model only.
 */
#pragma once

#include "editor-fields.h"

G_BEGIN_DECLS

/* The fields of one peer, or those of this computer. */
typedef struct {
    char *texts[CULVERT_N_FIELDS]; /* NULL: empty; secrets in secret memory */
    NMSettingSecretFlags flags;    /* of the one secret that is among them */
    gboolean has_flags;            /* somebody has said so: the profile or the user */
    gboolean had_secret;           /* when it was loaded */
    gboolean all_traffic;
    GHashTable *unknown; /* a peer's keys that this version does not know, without "peerN-" */
} CulvertSection;

struct _CulvertEditorModel {
    CulvertSection *own;
    GPtrArray *peers; /* of CulvertSection, at least one */
};

const char *culvert_section_get(const CulvertSection *section, CulvertField field);

/* culvert_section_get_networks: the allowed IPs, whatever the choice is. */
const char *culvert_section_get_networks(const CulvertSection *section);

CulvertSection *culvert_editor_model_section(CulvertEditorModel *model, CulvertField field,
                                             guint peer);

/* culvert_editor_model_check: the form as a profile. NULL: it has a fault; `error` names the field
 * in the words of the form. */
CulvertProfile *culvert_editor_model_check(CulvertEditorModel *model, GError **error);

G_END_DECLS
