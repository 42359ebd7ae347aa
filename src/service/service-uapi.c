/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-uapi.c: opens the configuration socket, or says why there is none.
 */
#include "service-uapi.h"

#define VARIABLE "CULVERT_UAPI"

typedef enum {
    MODE_READ_ONLY,
    MODE_READ_WRITE,
    MODE_OFF,
} Mode;

static Mode get_mode(void)
{
    const char *text = g_getenv(VARIABLE);

    if (!text || g_str_equal(text, "read-only"))
        return MODE_READ_ONLY;
    if (g_str_equal(text, "read-write"))
        return MODE_READ_WRITE;
    if (g_str_equal(text, "off"))
        return MODE_OFF;
    g_warning("The environment variable " VARIABLE " is “%s”, and should be read-only, read-write "
              "or off: taken as read-only",
              text);
    return MODE_READ_ONLY;
}

CulvertUapi *culvert_service_uapi_open(CulvertTunnel *tunnel, const char *name)
{
    Mode mode = get_mode();
    g_autoptr(GError) error = NULL;
    CulvertUapi *uapi;

    if (mode == MODE_OFF)
        return NULL;
    uapi = culvert_uapi_new(tunnel, name, mode == MODE_READ_ONLY, &error);
    if (!uapi)
        g_warning("“wg show %s” will not work, all else will: %s", name, error->message);
    return uapi;
}
