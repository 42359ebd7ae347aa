/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * gateway-ethernet.h: what --tap, --vtep and --vxlan-id say, or the environment variables that
 * stand for them.
 */
#pragma once

#include "tun/culvert-vxlan.h"

G_BEGIN_DECLS

/* The network that both ends have if nobody says another. */
#define GATEWAY_VXLAN_ID_DEFAULT 1

/* As given; NULL: not. */
typedef struct {
    gboolean tap;
    char *vtep;
    char *vxlan_id;
} GatewayEthernetOptions;

typedef struct {
    CulvertVtep vtep; /* AF_UNSPEC: the interface carries IP packets */
    guint32 vxlan_id;
} GatewayEthernet;

/* gateway_ethernet_read_environment: CULVERT_VTEP, which stands for --tap, too, and, for an
 * interface that carries Ethernet, CULVERT_VXLAN_ID, where the options are not given. Empty ones
 * are none. */
void gateway_ethernet_read_environment(GatewayEthernetOptions *options);

/* gateway_ethernet_parse: errors, of domain G_OPTION_ERROR, name what is wrong or missing and what
 * it could be. */
gboolean gateway_ethernet_parse(const GatewayEthernetOptions *options, GatewayEthernet *ethernet,
                                GError **error);

void gateway_ethernet_options_clear(GatewayEthernetOptions *options);

G_END_DECLS
