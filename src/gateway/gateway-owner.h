/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gateway-owner.h: what --tun-user and --tun-group say, or the environment variables that stand for
 * them: whom the interface's device belongs to.
 */
#pragma once

#include <glib.h>
#include <sys/types.h>

G_BEGIN_DECLS

/* As given; NULL: not. */
typedef struct {
    char *user;
    char *group;
} GatewayOwnerOptions;

/* gateway_owner_read_environment: CULVERT_TUN_USER and CULVERT_TUN_GROUP, where the options are not
 * given. */
void gateway_owner_read_environment(GatewayOwnerOptions *options);

/* gateway_owner_parse: names are looked up in the system's databases, numbers are taken as they
 * are; -1 for what is not given. Before the program is confined. Errors, of domain G_OPTION_ERROR,
 * say who is not there. */
gboolean gateway_owner_parse(const GatewayOwnerOptions *options, uid_t *user, gid_t *group,
                             GError **error);

void gateway_owner_options_clear(GatewayOwnerOptions *options);

G_END_DECLS
