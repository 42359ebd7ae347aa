/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-check.h: the rules between several settings, which no row of the table can say. For this
 * folder and for editors; whoever read the settings knows how to name the culprit.
 */
#pragma once

#include "culvert-options.h"

G_BEGIN_DECLS

/* Which setting is at fault, and a half sentence about it, already translated. */
typedef struct {
    const CulvertOption *option;
    guint peer; /* index, if the option is a peer's */
    CulvertProfileError code;
    const char *fault;
} CulvertBlame;

/* culvert_profile_check: FALSE: `blame` is filled. Any thread. */
gboolean culvert_profile_check(const CulvertProfile *profile, CulvertBlame *blame);

/* culvert_profile_check_addresses: what holds in NetworkManager's vpn setting only: one address a
 * family. */
gboolean culvert_profile_check_addresses(const CulvertProfile *profile, CulvertBlame *blame);

/* culvert_profile_check_complete: what may be missing in a file, but not when the connection is
 * used, besides secrets: an address, and for Ethernet that of the other end. */
gboolean culvert_profile_check_complete(const CulvertProfile *profile, CulvertBlame *blame);

/* culvert_profile_has_address: whether the device has an address of that family. */
gboolean culvert_profile_has_address(const CulvertProfile *profile, int family);

G_END_DECLS
