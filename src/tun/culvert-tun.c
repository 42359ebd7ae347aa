/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-tun.c: opening, naming, reading and writing a TUN device. Raw system calls: GIO has no
 * word for the device's ioctls, and its streams would copy each packet once more.
 */
#include "config.h"

#include "culvert-tun.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <linux/if.h>
#include <linux/if_tun.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#define TUN_DEVICE   "/dev/net/tun"
#define DEFAULT_NAME "culvert%d"

struct _CulvertTun {
    int fd;
    int control; /* any socket: carries the interface's ioctls */
    int ifindex;
    char name[IFNAMSIZ];
};

/* ---- Opening -------------------------------------------------------------------------------- */

static const char *open_hint(int errsv)
{
    switch (errsv) {
    case ENOENT:
    case ENODEV:
    case ENXIO:
        return _("the kernel's TUN driver is not there; load it with “modprobe tun”");
    case EPERM:
    case EACCES:
        return _("this needs the capability CAP_NET_ADMIN; run it as root, and in a container pass "
                 "/dev/net/tun to it");
    default:
        return g_strerror(errsv);
    }
}

static int open_driver(GError **error)
{
    int fd = open(TUN_DEVICE, O_RDWR | O_CLOEXEC | O_NONBLOCK);
    int errsv = errno;

    if (fd < 0)
        g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errsv), _("Cannot open %s: %s"),
                    TUN_DEVICE, open_hint(errsv));
    return fd;
}

static void set_create_error(GError **error, const char *name, int errsv)
{
    const char *reason = open_hint(errsv);

    if (errsv == EBUSY)
        reason = _("another program uses a device of this name; choose another name");
    else if (errsv == EINVAL)
        reason = _("a network interface of this name exists and is not a TUN device, or the name "
                   "is not valid; choose another name");
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errsv),
                _("Cannot create the TUN device “%s”: %s"), name, reason);
}

static gboolean create_interface(CulvertTun *tun, const char *name, GError **error)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI};

    if (strlen(name) >= IFNAMSIZ) {
        g_set_error(error, G_IO_ERROR, G_IO_ERROR_INVALID_ARGUMENT,
                    _("Cannot create the TUN device “%s”: the name is longer than %d bytes"), name,
                    IFNAMSIZ - 1);
        return FALSE;
    }
    g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
    if (ioctl(tun->fd, TUNSETIFF, &request) != 0) {
        set_create_error(error, name, errno);
        return FALSE;
    }
    memcpy(tun->name, request.ifr_name, sizeof tun->name);
    return TRUE;
}

static gboolean find_ifindex(CulvertTun *tun, GError **error)
{
    struct ifreq request = {0};
    int errsv;

    tun->control = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    memcpy(request.ifr_name, tun->name, sizeof request.ifr_name);
    if (tun->control >= 0 && ioctl(tun->control, SIOCGIFINDEX, &request) == 0) {
        tun->ifindex = request.ifr_ifindex;
        return TRUE;
    }
    errsv = errno;
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errsv),
                _("Cannot find the TUN device “%s” just created: %s"), tun->name,
                g_strerror(errsv));
    return FALSE;
}

CulvertTun *culvert_tun_open(const char *name, GError **error)
{
    g_autoptr(CulvertTun) tun = g_new0(CulvertTun, 1);

    tun->control = -1;
    tun->fd = open_driver(error);
    if (tun->fd < 0)
        return NULL;
    if (!create_interface(tun, name ? name : DEFAULT_NAME, error))
        return NULL;
    if (!find_ifindex(tun, error))
        return NULL;
    return g_steal_pointer(&tun);
}

void culvert_tun_free(CulvertTun *tun)
{
    if (!tun)
        return;
    if (tun->fd >= 0)
        close(tun->fd);
    if (tun->control >= 0)
        close(tun->control);
    g_free(tun);
}

/* ---- The interface -------------------------------------------------------------------------- */

const char *culvert_tun_get_name(CulvertTun *tun)
{
    struct ifreq request = {0};

    if (ioctl(tun->fd, TUNGETIFF, &request) == 0)
        memcpy(tun->name, request.ifr_name, sizeof tun->name);
    return tun->name;
}

int culvert_tun_get_ifindex(const CulvertTun *tun)
{
    return tun->ifindex;
}

int culvert_tun_get_fd(const CulvertTun *tun)
{
    return tun->fd;
}

gboolean culvert_tun_set_mtu(CulvertTun *tun, guint mtu, GError **error)
{
    struct ifreq request = {.ifr_mtu = (int) mtu};
    int errsv;

    memcpy(request.ifr_name, culvert_tun_get_name(tun), sizeof request.ifr_name);
    if (ioctl(tun->control, SIOCSIFMTU, &request) == 0)
        return TRUE;
    errsv = errno;
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errsv),
                _("Cannot set the MTU of “%s” to %u bytes: %s"), tun->name, mtu, g_strerror(errsv));
    return FALSE;
}

guint culvert_tun_get_mtu(CulvertTun *tun)
{
    struct ifreq request = {0};

    memcpy(request.ifr_name, culvert_tun_get_name(tun), sizeof request.ifr_name);
    return ioctl(tun->control, SIOCGIFMTU, &request) == 0 ? (guint) request.ifr_mtu : 0;
}

/* ---- Packets -------------------------------------------------------------------------------- */

/*
 * Where offload enters: with IFF_VNET_HDR and TUNSETOFFLOAD, one read hands over up to 64 KiB
 * that stand for many packets, and one write takes as many. These two functions then become a
 * read into, and a write from, a batch.
 */
gssize culvert_tun_read(CulvertTun *tun, guint8 *buffer, gsize size)
{
    gssize n;

    do
        n = read(tun->fd, buffer, size);
    while (n < 0 && errno == EINTR);
    if (n < 0 && errno == EAGAIN)
        return 0;
    return n;
}

gssize culvert_tun_write(CulvertTun *tun, const guint8 *packet, gsize len)
{
    gssize n;

    do
        n = write(tun->fd, packet, len);
    while (n < 0 && errno == EINTR);
    return n;
}
