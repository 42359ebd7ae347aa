/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * editor-fields.c: the fields of the form: what they are called, and which settings they are.
 */
#include "config.h"

#include "editor-fields.h"

#include <glib/gi18n-lib.h>

#define FURTHER_HELP                                                                               \
    N_("Other addresses of the same gateway, tried in this order when the first does not answer")

/* A name without a help of its own has that of the option. */
static const CulvertFieldInfo FIELDS[CULVERT_N_FIELDS] = {
    [CULVERT_FIELD_ENDPOINT] = {"endpoint", "endpoint", TRUE, N_("Gateway"), NULL},
    [CULVERT_FIELD_PUBLIC_KEY] = {"public-key", "public-key", TRUE, N_("Gateway’s public key"),
                                  NULL},
    [CULVERT_FIELD_ALLOWED_IPS] = {"allowed-ips", "allowed-ips", TRUE, N_("Networks"), NULL},
    [CULVERT_FIELD_FURTHER_ENDPOINTS] = {"further-endpoints", "endpoint", TRUE,
                                         N_("Further gateways"), FURTHER_HELP},
    [CULVERT_FIELD_PRESHARED_KEY] = {"preshared-key", "preshared-key", TRUE, N_("Preshared key"),
                                     NULL},
    [CULVERT_FIELD_KEEPALIVE] = {"persistent-keepalive", "persistent-keepalive", TRUE,
                                 N_("Keepalive"), NULL},
    [CULVERT_FIELD_PRIVATE_KEY] = {"private-key", "private-key", FALSE, N_("Your private key"),
                                   NULL},
    [CULVERT_FIELD_ADDRESS] = {"address", "address", FALSE, N_("Addresses"), NULL},
    [CULVERT_FIELD_DNS] = {"dns", "dns", FALSE, N_("DNS"), NULL},
    [CULVERT_FIELD_MTU] = {"mtu", "mtu", FALSE, N_("MTU"), NULL},
    [CULVERT_FIELD_LISTEN_PORT] = {"listen-port", "listen-port", FALSE, N_("Listen port"), NULL},
    [CULVERT_FIELD_FWMARK] = {"fwmark", "fwmark", FALSE, N_("Firewall mark"), NULL},
    [CULVERT_FIELD_DEVICE_TYPE] = {"device-type", "device-type", FALSE, N_("Device type"), NULL},
    [CULVERT_FIELD_KILL_SWITCH] = {"kill-switch", "kill-switch", FALSE, N_("Kill switch"), NULL},
    [CULVERT_FIELD_TAP_ADDRESS] = {"tap-address", "tap-address", FALSE, N_("Ethernet addresses"),
                                   NULL},
    [CULVERT_FIELD_VXLAN_ID] = {"vxlan-id", "vxlan-id", FALSE, N_("VXLAN identifier"), NULL},
    [CULVERT_FIELD_VXLAN_REMOTE] = {"vxlan-remote", "vxlan-remote", FALSE, N_("VXLAN remote"),
                                    NULL},
    [CULVERT_FIELD_BRIDGE] = {"bridge", "bridge", FALSE, N_("Bridge"), NULL},
    [CULVERT_FIELD_TUN_USER] = {"tun-user", "tun-user", FALSE, N_("Owner of the device"), NULL},
    [CULVERT_FIELD_TUN_GROUP] = {"tun-group", "tun-group", FALSE, N_("Group of the device"), NULL},
    [CULVERT_FIELD_INTERFACE_NAME] = {"interface-name", NULL, FALSE, N_("Device name"),
                                      N_("Name of the network device; empty takes the next that "
                                         "is free, like culvert0")},
};

const CulvertFieldInfo *culvert_field_info(CulvertField field)
{
    return &FIELDS[field];
}

const CulvertOption *culvert_field_option(CulvertField field)
{
    return FIELDS[field].option ? culvert_options_find(FIELDS[field].option) : NULL;
}

gboolean culvert_field_is_secret(CulvertField field)
{
    return field == CULVERT_FIELD_PRIVATE_KEY || field == CULVERT_FIELD_PRESHARED_KEY;
}

gboolean culvert_field_of_option(const char *option, CulvertField *field)
{
    for (guint i = 0; i < CULVERT_N_FIELDS; i++) {
        if (g_strcmp0(FIELDS[i].option, option) == 0) {
            *field = i;
            return TRUE;
        }
    }
    return FALSE;
}

gboolean culvert_field_is_peer(CulvertField field)
{
    return FIELDS[field].is_peer;
}

gboolean culvert_field_is_ethernet(CulvertField field)
{
    const CulvertOption *option = culvert_field_option(field);

    return option && (option->flags & CULVERT_OPTION_ETHERNET);
}

const char *culvert_field_name(CulvertField field)
{
    return FIELDS[field].name;
}

const char *culvert_field_help(CulvertField field)
{
    const CulvertOption *option = culvert_field_option(field);

    if (FIELDS[field].help)
        return _(FIELDS[field].help);
    return option ? _(option->help) : NULL;
}
