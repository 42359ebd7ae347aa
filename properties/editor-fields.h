/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-fields.h: the table of the form's fields. Private to the model. Any thread.
 */
#pragma once

#include "editor-model.h"
#include "profile/culvert-options.h"

G_BEGIN_DECLS

typedef struct {
    const char *name;
    const char *option; /* key in the table of options; NULL: not in there */
    gboolean is_peer;
    const char *title; /* marked for translation */
    const char *help;  /* the same; NULL: the option's */
} CulvertFieldInfo;

const CulvertFieldInfo *culvert_field_info(CulvertField field);

/* culvert_field_option: NULL: it is not in the table of options. */
const CulvertOption *culvert_field_option(CulvertField field);

/* culvert_field_of_option: the first field of a key in vpn.data or vpn.secrets, without "peerN-".
 * FALSE: there is none. */
gboolean culvert_field_of_option(const char *option, CulvertField *field);

gboolean culvert_field_is_secret(CulvertField field);

G_END_DECLS
