/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * service-device.c: see service-device.h.
 */
#include "config.h"

#include "service-device.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "sandbox/culvert-account.h"

/* Nobody else makes addresses of a UUID and these words. */
#define MAC_SALT "culvert Ethernet device "

/* The bits of a hardware address's first byte (IEEE 802, 8.2). */
#define MAC_GROUP 0x01
#define MAC_LOCAL 0x02

/* ---- Hardware address ----------------------------------------------------------------------- */

void culvert_service_device_mac(const char *uuid, guint8 mac[6])
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    guint8 digest[32];
    gsize length = sizeof digest;

    g_checksum_update(checksum, (const guint8 *) MAC_SALT, strlen(MAC_SALT));
    g_checksum_update(checksum, (const guint8 *) uuid, (gssize) strlen(uuid));
    g_checksum_get_digest(checksum, digest, &length);
    memcpy(mac, digest, 6);
    mac[0] = (guint8) ((mac[0] & ~MAC_GROUP) | MAC_LOCAL);
}

/* ---- Owner ---------------------------------------------------------------------------------- */

typedef struct {
    char *group_name; /* still to be found; NULL: none */
    uid_t user;
    gid_t group;
} Owner;

static void owner_free(gpointer data)
{
    Owner *owner = data;

    g_free(owner->group_name);
    g_free(owner);
}

/* Takes `cause`. */
static void return_fault(GTask *task, const char *key, GError *cause)
{
    g_task_return_new_error(task, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS, "%s: %s",
                            key, cause->message);
    g_error_free(cause);
}

static void on_group(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Owner *owner = g_task_get_task_data(task);
    GError *cause = NULL;
    guint32 id;

    if (!culvert_account_find_finish(result, &id, &cause)) {
        return_fault(task, "tun-group", cause);
        return;
    }
    owner->group = id;
    g_task_return_boolean(task, TRUE);
}

/* Takes `task`. */
static void find_group(GTask *task)
{
    const Owner *owner = g_task_get_task_data(task);

    if (owner->group_name) {
        culvert_account_find_async(CULVERT_ACCOUNT_GROUP, owner->group_name,
                                   g_task_get_cancellable(task), on_group, task);
        return;
    }
    g_task_return_boolean(task, TRUE);
    g_object_unref(task);
}

static void on_user(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Owner *owner = g_task_get_task_data(task);
    GError *cause = NULL;
    guint32 id;

    if (!culvert_account_find_finish(result, &id, &cause)) {
        return_fault(task, "tun-user", cause);
        return;
    }
    owner->user = id;
    find_group(g_steal_pointer(&task));
}

void culvert_service_device_find_owner_async(const CulvertProfile *profile,
                                             GCancellable *cancellable,
                                             GAsyncReadyCallback callback, gpointer data)
{
    GTask *task = g_task_new(NULL, cancellable, callback, data);
    Owner *owner = g_new0(Owner, 1);

    owner->group_name = g_strdup(profile->tun_group);
    owner->user = (uid_t) -1;
    owner->group = (gid_t) -1;
    g_task_set_task_data(task, owner, owner_free);
    if (profile->tun_user)
        culvert_account_find_async(CULVERT_ACCOUNT_USER, profile->tun_user, cancellable, on_user,
                                   task);
    else
        find_group(task);
}

gboolean culvert_service_device_find_owner_finish(GAsyncResult *result, uid_t *user, gid_t *group,
                                                  GError **error)
{
    const Owner *owner = g_task_get_task_data(G_TASK(result));

    if (!g_task_propagate_boolean(G_TASK(result), error))
        return FALSE;
    *user = owner->user;
    *group = owner->group;
    return TRUE;
}

/* ---- Silence -------------------------------------------------------------------------------- */

/* A setting of Linux's ip-sysctl.rst, for one interface. GIO would make another file of it. */
static void set_ipv6(const char *ifname, const char *setting, const char *value)
{
    g_autofree char *path =
        g_build_filename("/proc/sys/net/ipv6/conf", ifname, setting, (char *) NULL);
    int fd = open(path, O_RDWR | O_CLOEXEC);
    int errsv = errno;
    gboolean done = fd >= 0 && write(fd, value, strlen(value)) == (gssize) strlen(value);

    if (fd >= 0) {
        errsv = errno;
        close(fd);
    }
    if (done || (fd < 0 && errsv == ENOENT)) /* a kernel without IPv6 */
        return;
    g_warning("Cannot set %s to %s, so that what routers say on the network has an effect here: %s",
              path, value, g_strerror(errsv));
}

void culvert_service_device_quieten(const CulvertProfile *profile, const char *ifname)
{
    if (profile->device_type != CULVERT_DEVICE_TAP)
        return;
    if (profile->bridge)
        set_ipv6(ifname, "disable_ipv6", "1");
    else
        set_ipv6(ifname, "accept_ra", "0");
}
