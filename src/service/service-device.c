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

void culvert_service_device_mac(const char *uuid, guint8 mac[ETHERNET_ADDRESS_SIZE])
{
    g_autoptr(GChecksum) checksum = g_checksum_new(G_CHECKSUM_SHA256);
    guint8 digest[32];
    gsize length = sizeof digest;

    g_checksum_update(checksum, (const guint8 *) MAC_SALT, strlen(MAC_SALT));
    g_checksum_update(checksum, (const guint8 *) uuid, (gssize) strlen(uuid));
    g_checksum_get_digest(checksum, digest, &length);
    memcpy(mac, digest, ETHERNET_ADDRESS_SIZE);
    mac[0] = (guint8) ((mac[0] & ~MAC_GROUP) | MAC_LOCAL);
}

/* ---- Owner ---------------------------------------------------------------------------------- */

/* The setting of each CulvertAccountKind. */
static const char *const keys[] = {
    [CULVERT_ACCOUNT_USER] = "tun-user",
    [CULVERT_ACCOUNT_GROUP] = "tun-group",
};

typedef struct {
    char *names[G_N_ELEMENTS(keys)]; /* NULL: none */
    guint32 ids[G_N_ELEMENTS(keys)];
    CulvertAccountKind at; /* the one that is looked for */
} Owner;

static void owner_free(gpointer data)
{
    Owner *owner = data;

    for (guint i = 0; i < G_N_ELEMENTS(keys); i++)
        g_free(owner->names[i]);
    g_free(owner);
}

static void find_next(GTask *task);

static void on_found(GObject *source, GAsyncResult *result, gpointer user_data)
{
    g_autoptr(GTask) task = user_data;
    Owner *owner = g_task_get_task_data(task);
    g_autoptr(GError) cause = NULL;

    if (!culvert_account_find_finish(result, &owner->ids[owner->at], &cause)) {
        g_task_return_new_error(task, NM_VPN_PLUGIN_ERROR, NM_VPN_PLUGIN_ERROR_BAD_ARGUMENTS,
                                "%s: %s", keys[owner->at], cause->message);
        return;
    }
    owner->at++;
    find_next(g_steal_pointer(&task));
}

/* Takes `task`. */
static void find_next(GTask *task)
{
    Owner *owner = g_task_get_task_data(task);

    while (owner->at < G_N_ELEMENTS(keys) && !owner->names[owner->at])
        owner->at++;
    if (owner->at < G_N_ELEMENTS(keys)) {
        culvert_account_find_async(owner->at, owner->names[owner->at], g_task_get_cancellable(task),
                                   on_found, task);
        return;
    }
    g_task_return_boolean(task, TRUE);
    g_object_unref(task);
}

void culvert_service_device_find_owner_async(const CulvertProfile *profile,
                                             GCancellable *cancellable,
                                             GAsyncReadyCallback callback, gpointer data)
{
    GTask *task = g_task_new(NULL, cancellable, callback, data);
    Owner *owner = g_new0(Owner, 1);

    owner->names[CULVERT_ACCOUNT_USER] = g_strdup(profile->tun_user);
    owner->names[CULVERT_ACCOUNT_GROUP] = g_strdup(profile->tun_group);
    owner->ids[CULVERT_ACCOUNT_USER] = (uid_t) -1;
    owner->ids[CULVERT_ACCOUNT_GROUP] = (gid_t) -1;
    g_task_set_task_data(task, owner, owner_free);
    find_next(task);
}

gboolean culvert_service_device_find_owner_finish(GAsyncResult *result, uid_t *user, gid_t *group,
                                                  GError **error)
{
    const Owner *owner = g_task_get_task_data(G_TASK(result));

    if (!g_task_propagate_boolean(G_TASK(result), error))
        return FALSE;
    *user = owner->ids[CULVERT_ACCOUNT_USER];
    *group = owner->ids[CULVERT_ACCOUNT_GROUP];
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
