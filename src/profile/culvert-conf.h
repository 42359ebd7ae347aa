/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-conf.h: the .conf of wg(8) and wg-quick(8), as bytes.
 *
 * Everything that those two read is read: keys in any case, white space anywhere, repeated
 * sections, Windows' line ends and byte order mark. What a .conf cannot say otherwise stands in
 * comments that begin with "# Culvert:", which wg ignores: the type of the device, further
 * endpoints of a peer, who keeps a secret.
 *
 * Commands (PreUp and its kind) and SaveConfig are never obeyed: a warning names each line.
 *
 * Errors and warnings begin with "NAME:LINE: ". They quote no secret, nor anything that looks like
 * one. Any thread.
 */
#pragma once

#include "culvert-profile.h"

G_BEGIN_DECLS

#define CULVERT_CONF_TABLE_AUTO ((gint64) -1)
#define CULVERT_CONF_TABLE_OFF  ((gint64) -2)

typedef struct {
    CulvertProfile *profile; /* may have several addresses a family */
    gint64 table;            /* for the routes: AUTO, OFF or a number */
    GPtrArray *warnings;     /* of char *: what was left out or needs attention */
} CulvertConf;

CulvertConf *culvert_conf_new(void); /* an empty profile, table AUTO */
void culvert_conf_free(CulvertConf *conf);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CulvertConf, culvert_conf_free)

/* culvert_conf_parse: reads a .conf; `name` is how messages call the file. NOT_CONF: it is
 * something else. Keeps no copy of the text. */
CulvertConf *culvert_conf_parse(const char *text, gsize length, const char *name, GError **error);

/* culvert_conf_format: writes a .conf that culvert_conf_parse() reads as the same. Holds the
 * secrets; wipes itself with the last reference. (transfer full) */
GBytes *culvert_conf_format(const CulvertConf *conf);

G_END_DECLS
