/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-sandbox.c: the order of the steps, whether to take them at all, and those that are a call
 * or two.
 */
#include "config.h"

#include "culvert-sandbox.h"
#include "sandbox-private.h"

#include <cap-ng.h>
#include <errno.h>
#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <time.h>

#define VARIABLE "CULVERT_SANDBOX"

/* Where `wg` looks for configuration sockets; has to be there before it can be allowed. */
#define UAPI_FOLDER "/var/run/wireguard"

/* Written once, before there is a second thread. */
static gboolean confined;

/* ---- Steps ---------------------------------------------------------------------------------- */

static gboolean cannot(const char *what, int errsv, GError **error)
{
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errsv),
                _("Cannot give up privileges that are not needed (%s): %s. To run without this "
                  "protection, set the environment variable %s=no"),
                what, g_strerror(errsv), VARIABLE);
    return FALSE;
}

gboolean sandbox_keep_capabilities(const int *keep, GError **error)
{
    gboolean may_drop_bounds;

    if (capng_get_caps_process() != 0)
        return cannot("capget", errno, error);
    /* NetworkManager.service leaves its children without CAP_SETPCAP. The bounding set is about
     * programs started later, and none can be. */
    may_drop_bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP) == 1;
    for (int i = 0; i <= CAP_LAST_CAP; i++) {
        gboolean wanted = FALSE;

        for (const int *k = keep; *k >= 0; k++)
            wanted |= *k == i;
        if (!wanted || !capng_have_capability(CAPNG_PERMITTED, i))
            capng_update(CAPNG_DROP, CAPNG_EFFECTIVE | CAPNG_PERMITTED, i);
        capng_update(CAPNG_DROP, CAPNG_INHERITABLE | CAPNG_BOUNDING_SET, i);
    }
    if (may_drop_bounds && capng_apply(CAPNG_SELECT_BOUNDS) != 0)
        return cannot("PR_CAPBSET_DROP", errno, error);
    if (capng_apply(CAPNG_SELECT_CAPS) != 0)
        return cannot("capset", errno, error);
    return TRUE;
}

gboolean sandbox_hide(GError **error)
{
    const struct rlimit none = {0, 0};

    if (setrlimit(RLIMIT_CORE, &none) != 0)
        return cannot("RLIMIT_CORE", errno, error);
    if (prctl(PR_SET_DUMPABLE, 0, 0, 0, 0) != 0)
        return cannot("PR_SET_DUMPABLE", errno, error);
    if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0)
        return cannot("PR_SET_NO_NEW_PRIVS", errno, error);
    return TRUE;
}

/* What libraries would open later, and could not. */
static void open_beforehand(void)
{
    tzset(); /* for syslog(3) */
    /* Files are files here: no module of the desktop belongs into a daemon of root's. */
    g_setenv("GIO_MODULE_DIR", "/nonexistent", TRUE);
    g_setenv("GIO_USE_VFS", "local", TRUE);
    if (g_mkdir_with_parents(UAPI_FOLDER, 0755) != 0)
        g_debug("Cannot make " UAPI_FOLDER ": %s", g_strerror(errno));
}

/* ---- Entering ------------------------------------------------------------------------------- */

gboolean culvert_sandbox_is_wanted(void)
{
    return g_strcmp0(g_getenv(VARIABLE), "no") != 0;
}

gboolean culvert_sandbox_enter(GError **error)
{
    /* CAP_NET_ADMIN: devices, SO_MARK, SO_RCVBUFFORCE, the firewall. CAP_NET_BIND_SERVICE: a
     * gateway's port is often 53 or 443, and may be changed while it runs. */
    static const int keep[] = {CAP_NET_ADMIN, CAP_NET_BIND_SERVICE, -1};

    if (!culvert_sandbox_is_wanted()) {
        g_warning("Not confined, as " VARIABLE "=no asks for: for debugging only");
        return TRUE;
    }
    open_beforehand();
    if (!sandbox_keep_capabilities(keep, error) || !sandbox_hide(error) ||
        !sandbox_restrict_files(SANDBOX_DAEMON, error) ||
        !sandbox_restrict_calls(SANDBOX_DAEMON, error))
        return FALSE;
    confined = TRUE;
    return TRUE;
}

/* libcap-ng keeps its sets by thread; to read the present ones it would need /proc. */
static gboolean drop_all_capabilities(GError **error)
{
    capng_clear(CAPNG_SELECT_CAPS);
    return capng_apply(CAPNG_SELECT_CAPS) == 0 || cannot("capset", errno, error);
}

void culvert_sandbox_packet_thread(void)
{
    g_autoptr(GError) error = NULL;

    if (confined &&
        (!drop_all_capabilities(&error) || !sandbox_restrict_calls(SANDBOX_PACKETS, &error)))
        g_error("%s", error->message);
}
