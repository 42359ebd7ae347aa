/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * culvert-tun.c: opening, naming, reading and writing a TUN or TAP device. Raw system calls: GIO
 * has no word for the device's ioctls, and its streams would copy each packet once more.
 */
#include "config.h"

#include "culvert-tun.h"

#include <errno.h>
#include <fcntl.h>
#include <glib/gi18n-lib.h>
#include <glib/gstdio.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "sandbox/culvert-netns.h"
#include "tun-owner.h"
#include "tun-steering.h"

#define TUN_DEVICE   "/dev/net/tun"
#define DEFAULT_NAME "culvert%d"

/* The device drops what finds its queue full, of 500 packets unless told otherwise. With this many
 * a thread that waits 10 ms for a processor loses nothing at 300,000 packets a second; a stream of
 * TCP, whose packets here are 64 KiB long, comes nowhere near either. */
#define QUEUE_PACKETS 3000

/* Since Linux 6.2; Debian 12's headers are older. */
#ifndef TUN_F_USO4
#define TUN_F_USO4 0x20
#define TUN_F_USO6 0x40
#endif

struct _CulvertTun {
    int fds[CULVERT_TUN_QUEUES_MAX];
    guint n_queues;
    gboolean is_tap;
    int control; /* any socket of the interface's namespace: carries its ioctls */
    CulvertTunOffload offload;
    int ifindex;
    char name[IF_NAMESIZE];
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

static void set_create_error(GError **error, const CulvertTunOptions *options, const char *reason,
                             int errsv)
{
    const char *name = options->name ? options->name : DEFAULT_NAME;

    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(errsv),
                options->tap ? _("Cannot create the TAP device “%s”: %s")
                             : _("Cannot create the TUN device “%s”: %s"),
                name, reason);
}

static const char *create_hint(int errsv)
{
    switch (errsv) {
    case EBUSY:
        return _("another program uses a device of this name; choose another name");
    case EINVAL:
        return _("a network interface of this name exists and is of another kind, or the name is "
                 "not valid; choose another name");
    case ENAMETOOLONG:
        return _("the name is too long; choose one of at most 15 bytes");
    default:
        return open_hint(errsv);
    }
}

/* The first queue creates the interface, the others join it by its name. */
static gboolean add_queue(CulvertTun *tun, struct ifreq *request, const CulvertTunOptions *options,
                          GError **error)
{
    int fd = open_driver(error);

    if (fd < 0)
        return FALSE;
    tun->fds[tun->n_queues++] = fd;
    if (ioctl(fd, TUNSETIFF, request) == 0)
        return TRUE;
    set_create_error(error, options, create_hint(errno), errno);
    return FALSE;
}

/* At once, lest somebody else joins it. */
static gboolean own(CulvertTun *tun, const CulvertTunOptions *options, GError **error)
{
    if (culvert_tun_own(tun->fds[0], options->owner, options->group))
        return TRUE;
    set_create_error(error, options,
                     errno == EINVAL ? _("there is no such user or group to give it to")
                                     : g_strerror(errno),
                     errno);
    return FALSE;
}

static gboolean create_interface(CulvertTun *tun, const CulvertTunOptions *options, GError **error)
{
    const char *name = options->name ? options->name : DEFAULT_NAME;
    struct ifreq request = {.ifr_flags = IFF_NO_PI};

    if (strlen(name) >= IFNAMSIZ) {
        set_create_error(error, options, create_hint(ENAMETOOLONG), EINVAL);
        return FALSE;
    }
    request.ifr_flags |= options->tap ? IFF_TAP : IFF_TUN;
    if (tun->offload.headers)
        request.ifr_flags |= IFF_VNET_HDR;
    /* A device with many queues takes further ones: this one has to be new. */
    if (options->n_queues > 1)
        request.ifr_flags |= (short) (IFF_MULTI_QUEUE | IFF_TUN_EXCL);
    g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
    if (!add_queue(tun, &request, options, error) || !own(tun, options, error))
        return FALSE;
    request.ifr_flags &= (short) ~IFF_TUN_EXCL;
    while (tun->n_queues < options->n_queues) {
        if (!add_queue(tun, &request, options, error))
            return FALSE;
    }
    memcpy(tun->name, request.ifr_name, sizeof tun->name);
    return TRUE;
}

/* Between its creation and its owner anybody could join it. */
static gboolean check_owner(CulvertTun *tun, const CulvertTunOptions *options, GError **error)
{
    if (options->n_queues == 1 ||
        culvert_tun_is_own(tun->ifindex, tun->n_queues, options->owner, options->group))
        return TRUE;
    set_create_error(error, options,
                     _("another program joined it at once; look who runs a program that waits for "
                       "this, and try again"),
                     EBUSY);
    return FALSE;
}

/* Asks for all, and then for less. What the kernel does not know it refuses as a whole. */
static void set_offload(CulvertTun *tun)
{
    const unsigned long tcp = TUN_F_CSUM | TUN_F_TSO4 | TUN_F_TSO6;
    int fd = tun->fds[0];

    if (!tun->offload.headers)
        return;
    tun->offload.udp = ioctl(fd, TUNSETOFFLOAD, tcp | TUN_F_USO4 | TUN_F_USO6) == 0;
    tun->offload.tcp = tun->offload.udp || ioctl(fd, TUNSETOFFLOAD, tcp) == 0;
}

static gboolean look_up(CulvertTun *tun)
{
    struct ifreq request = {0};

    memcpy(request.ifr_name, culvert_tun_get_name(tun), sizeof request.ifr_name);
    if (ioctl(tun->control, SIOCGIFINDEX, &request) != 0)
        return FALSE;
    tun->ifindex = request.ifr_ifindex;
    return TRUE;
}

static gboolean find_ifindex(CulvertTun *tun, const CulvertTunOptions *options, GError **error)
{
    tun->control = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (tun->control >= 0 && look_up(tun))
        return TRUE;
    set_create_error(error, options, g_strerror(errno), errno);
    return FALSE;
}

/* Without order within flows many queues would do harm. */
static void steer(CulvertTun *tun)
{
    if (tun->n_queues == 1 || culvert_tun_steer(tun->fds[0], tun->is_tap))
        return;
    g_info("Using one queue of “%s”, as the kernel cannot be told which packets to put where: %s",
           tun->name, g_strerror(errno));
    while (tun->n_queues > 1)
        close(tun->fds[--tun->n_queues]);
}

/* Less is slower, but no failure. */
static void set_queue_length(CulvertTun *tun)
{
    struct ifreq request = {.ifr_qlen = QUEUE_PACKETS};

    memcpy(request.ifr_name, tun->name, sizeof request.ifr_name);
    if (ioctl(tun->control, SIOCSIFTXQLEN, &request) != 0)
        g_info("Cannot make the queue of “%s” longer: %s", tun->name, g_strerror(errno));
}

static gboolean set_mac(CulvertTun *tun, const CulvertTunOptions *options, GError **error)
{
    static const guint8 none[ETHERNET_ADDRESS_SIZE];
    struct ifreq request = {.ifr_hwaddr.sa_family = ARPHRD_ETHER};

    if (!tun->is_tap || memcmp(options->mac, none, sizeof none) == 0)
        return TRUE;
    memcpy(request.ifr_name, tun->name, sizeof request.ifr_name);
    memcpy(request.ifr_hwaddr.sa_data, options->mac, sizeof options->mac);
    if (ioctl(tun->control, SIOCSIFHWADDR, &request) == 0)
        return TRUE;
    set_create_error(error, options,
                     errno == EADDRNOTAVAIL ? _("its MAC address is not that of one station")
                                            : g_strerror(errno),
                     errno);
    return FALSE;
}

CulvertTun *culvert_tun_open(const CulvertTunOptions *options, GError **error)
{
    g_autoptr(CulvertTun) tun = NULL;

    g_return_val_if_fail(options->n_queues >= 1 && options->n_queues <= CULVERT_TUN_QUEUES_MAX,
                         NULL);

    tun = g_new0(CulvertTun, 1);
    tun->control = -1;
    tun->is_tap = options->tap;
    tun->offload.headers = options->offload;
    if (!create_interface(tun, options, error) || !find_ifindex(tun, options, error) ||
        !check_owner(tun, options, error) || !set_mac(tun, options, error))
        return NULL;
    set_offload(tun);
    steer(tun);
    set_queue_length(tun);
    return g_steal_pointer(&tun);
}

void culvert_tun_free(CulvertTun *tun)
{
    if (!tun)
        return;
    for (guint i = 0; i < tun->n_queues; i++)
        close(tun->fds[i]);
    if (tun->control >= 0)
        close(tun->control);
    g_free(tun);
}

/* ---- The interface -------------------------------------------------------------------------- */

const char *culvert_tun_get_name(CulvertTun *tun)
{
    struct ifreq request = {0};

    if (ioctl(tun->fds[0], TUNGETIFF, &request) == 0)
        memcpy(tun->name, request.ifr_name, sizeof tun->name);
    return tun->name;
}

int culvert_tun_get_ifindex(const CulvertTun *tun)
{
    return tun->ifindex;
}

gboolean culvert_tun_exists(const CulvertTun *tun)
{
    struct ifreq request = {0};

    return ioctl(tun->fds[0], TUNGETIFF, &request) == 0;
}

gboolean culvert_tun_is_here(CulvertTun *tun)
{
    char name[IF_NAMESIZE];

    return if_indextoname((guint) tun->ifindex, name) &&
           g_str_equal(name, culvert_tun_get_name(tun));
}

int culvert_tun_open_socket(const CulvertTun *tun, int domain, int type, int protocol)
{
    /* It waits for a move that is under way: the kernel's lock of all interfaces, rtnl. */
    int netns = ioctl(tun->fds[0], TUNGETDEVNETNS);
    int fd, errsv;

    if (netns < 0)
        return -1;
    fd = culvert_netns_socket(netns, domain, type, protocol);
    errsv = errno;
    close(netns);
    errno = errsv;
    return fd;
}

gboolean culvert_tun_follow(CulvertTun *tun)
{
    int control = culvert_tun_open_socket(tun, AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (control < 0)
        return FALSE;
    close(tun->control);
    tun->control = control;
    return look_up(tun);
}

gboolean culvert_tun_is_tap(const CulvertTun *tun)
{
    return tun->is_tap;
}

guint culvert_tun_get_n_queues(const CulvertTun *tun)
{
    return tun->n_queues;
}

int culvert_tun_get_fd(const CulvertTun *tun, guint queue)
{
    return tun->fds[queue];
}

CulvertTunOffload culvert_tun_get_offload(const CulvertTun *tun)
{
    return tun->offload;
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

/* Packets that the kernel takes from the queue, but cannot describe (EINVAL), in a row. */
#define REFUSED_MAX 64

gssize culvert_tun_read(CulvertTun *tun, guint queue, struct virtio_net_hdr *vnet, guint8 *buffer,
                        gsize size)
{
    struct iovec iov[] = {{vnet, sizeof *vnet}, {buffer, size}};
    guint first = tun->offload.headers ? 0 : 1;
    gsize header = first == 0 ? sizeof *vnet : 0;
    guint refused = 0;
    gssize n;

    memset(vnet, 0, sizeof *vnet);
    do
        n = readv(tun->fds[queue], iov + first, (int) (G_N_ELEMENTS(iov) - first));
    while (n < 0 && (errno == EINTR || (errno == EINVAL && refused++ < REFUSED_MAX)));
    if (n < 0)
        return errno == EBADFD || errno == EBADF ? -1 : 0;
    return (gsize) n > header ? n - (gssize) header : 0;
}

gboolean culvert_tun_write(CulvertTun *tun, guint queue, const struct iovec *iov, guint n)
{
    guint first = tun->offload.headers ? 0 : 1;
    gssize written;

    do
        written = writev(tun->fds[queue], iov + first, (int) (n - first));
    while (written < 0 && errno == EINTR);
    return written >= 0;
}

gboolean culvert_tun_write_packet(CulvertTun *tun, guint queue, const guint8 *packet, gsize len)
{
    struct virtio_net_hdr vnet = {0};
    const struct iovec iov[] = {{&vnet, sizeof vnet}, {(gpointer) packet, len}};

    return culvert_tun_write(tun, queue, iov, G_N_ELEMENTS(iov));
}
