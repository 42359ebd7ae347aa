/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-link.h: watches the network interface of a TUN or TAP device: is it there, is it up,
 * which MTU and, if it has one, MAC address has it, and the bridge that it is a port of? It is
 * followed into other network namespaces. rtnetlink(7), for which GIO has no word.
 */
#pragma once

#include "culvert-tun.h"

G_BEGIN_DECLS

typedef struct _CulvertLink CulvertLink;

typedef struct {
    gboolean exists;
    gboolean up;                       /* set up by the administrator, IFF_UP */
    guint mtu;                         /* bytes */
    guint8 mac[ETHERNET_ADDRESS_SIZE]; /* all zero: none */
    guint8
        bridge_mac[ETHERNET_ADDRESS_SIZE]; /* of the interface above it (IFLA_MASTER), likewise */
} CulvertLinkState;

typedef void (*CulvertLinkFunc)(const CulvertLinkState *state, gpointer user_data);

/* culvert_link_watch: calls `func` in the thread-default main context with the present state of the
 * interface of `tun`, soon, and then at each change of it. `tun` has to outlive the watch, and
 * culvert_tun_follow()s the interface. Where this process may not look into the namespace it was
 * moved to, it counts as up with the MTU it had. With `follows` FALSE, for a process that must not
 * look into others at all, one that was moved counts as gone. `func` must not free the watch. */
CulvertLink *culvert_link_watch(CulvertTun *tun, gboolean follows, CulvertLinkFunc func,
                                gpointer user_data, GError **error);
void culvert_link_free(CulvertLink *link);

G_DEFINE_AUTOPTR_CLEANUP_FUNC(CulvertLink, culvert_link_free)

G_END_DECLS
