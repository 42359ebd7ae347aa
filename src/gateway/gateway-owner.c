/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gateway-owner.c: users and groups by name or number.
 */
#include "config.h"

#include "gateway-owner.h"

#include <gio/gio.h>
#include <glib/gi18n.h>

#include "gateway-environment.h"
#include "sandbox/culvert-account.h"

void gateway_owner_read_environment(GatewayOwnerOptions *options)
{
    gateway_take_variable(&options->user, "CULVERT_TUN_USER");
    gateway_take_variable(&options->group, "CULVERT_TUN_GROUP");
}

/* A name goes before a number, as with chown(1). */
static gboolean parse(CulvertAccountKind kind, const char *text, guint32 *id, GError **error)
{
    if (culvert_account_look_up(kind, text, id) == 0 || culvert_account_parse_number(text, id))
        return TRUE;
    g_set_error(error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE,
                kind == CULVERT_ACCOUNT_USER
                    ? _("There is no user “%s” on this computer, whom the device could belong to: "
                        "give a user's name or number")
                    : _("There is no group “%s” on this computer, which the device could belong "
                        "to: give a group's name or number"),
                text);
    return FALSE;
}

gboolean gateway_owner_parse(const GatewayOwnerOptions *options, uid_t *user, gid_t *group,
                             GError **error)
{
    *user = (uid_t) -1;
    *group = (gid_t) -1;
    return (!options->user || parse(CULVERT_ACCOUNT_USER, options->user, user, error)) &&
           (!options->group || parse(CULVERT_ACCOUNT_GROUP, options->group, group, error));
}

void gateway_owner_options_clear(GatewayOwnerOptions *options)
{
    g_clear_pointer(&options->user, g_free);
    g_clear_pointer(&options->group, g_free);
}
