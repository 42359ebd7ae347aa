/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-link.h: watches a network interface: is it there, is it up, which MTU has it?
 * rtnetlink(7), for which GIO has no word.
 */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

typedef struct _CulvertLink CulvertLink;

typedef struct {
    gboolean exists;
    gboolean up; /* set up by the administrator, IFF_UP */
    guint mtu;   /* bytes */
} CulvertLinkState;

typedef void (*CulvertLinkFunc)(const CulvertLinkState *state, gpointer user_data);

/* culvert_link_watch: calls `func` in the thread-default main context with the interface's present
 * state, soon, and then at each change of it. `ifindex`: the interface's number. `func` must not
 * free the watch. */
CulvertLink *culvert_link_watch(int ifindex, CulvertLinkFunc func, gpointer user_data,
                                GError **error);
void culvert_link_free(CulvertLink *link);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CulvertLink, culvert_link_free)

G_END_DECLS
