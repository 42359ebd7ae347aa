/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-tun.c: TUN and TAP devices of the real kernel, in a network namespace of their own: what
 * they are, whom they belong to, and which queue a frame comes out of.
 */
#include "tun/culvert-tun.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <grp.h>
#include <net/if_arp.h>
#include <linux/if_packet.h>
#include <linux/if_tun.h>
#include <net/if.h>
#include <poll.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "packets.h"
#include "run-ip.h"
#include "tun/tun-owner.h"

#define DEADLINE_MS 20000

/* Users and groups that own nothing here. */
#define OWNER    61001
#define GROUP    61002
#define STRANGER 61003
#define NONE     ((guint32) -1)

#define QUEUES 4

static const guint8 station[] = {2, 0, 0, 0, 0, 9};

static CulvertTunOptions options_of(const char *name, guint n_queues, gboolean tap)
{
    CulvertTunOptions options = CULVERT_TUN_OPTIONS_INIT;

    options.name = name;
    options.n_queues = n_queues;
    options.tap = tap;
    return options;
}

static CulvertTun *open_device(const CulvertTunOptions *options)
{
    g_autoptr(GError) error = NULL;
    CulvertTun *tun = culvert_tun_open(options, &error);

    g_assert_no_error(error);
    g_assert_cmpuint(culvert_tun_get_n_queues(tun), ==, options->n_queues);
    return tun;
}

static void check_refused(const CulvertTunOptions *options, GIOErrorEnum code, const char *says)
{
    g_autoptr(GError) error = NULL;

    g_assert_null(culvert_tun_open(options, &error));
    g_assert_error(error, G_IO_ERROR, (gint) code);
    g_assert_nonnull(strstr(error->message, options->name));
    g_assert_nonnull(strstr(error->message, says));
}

static void test_errors(void)
{
    CulvertTunOptions options = options_of("a-name-that-is-too-long", 1, FALSE);
    g_autoptr(CulvertTun) one = NULL, many = NULL;

    check_refused(&options, G_IO_ERROR_INVALID_ARGUMENT, "15 bytes");
    options.name = "lo";
    check_refused(&options, G_IO_ERROR_INVALID_ARGUMENT, "TUN device");
    options.name = "one";
    one = open_device(&options);
    check_refused(&options, G_IO_ERROR_BUSY, "another program");
    options.tap = TRUE;
    check_refused(&options, G_IO_ERROR_INVALID_ARGUMENT, "TAP device");
    options = options_of("many", 3, FALSE);
    many = open_device(&options);
    check_refused(&options, G_IO_ERROR_BUSY, "another program");
    options = options_of("multicast", 1, TRUE);
    options.mac[0] = 1;
    check_refused(&options, g_io_error_from_errno(EADDRNOTAVAIL), "MAC address");
    g_assert_cmpuint(if_nametoindex("multicast"), ==, 0);
}

static void hardware_address(const char *name, struct sockaddr *address)
{
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
    g_assert_cmpint(ioctl(fd, SIOCGIFHWADDR, &request), ==, 0);
    *address = request.ifr_hwaddr;
    close(fd);
}

static void test_kind(void)
{
    CulvertTunOptions options = options_of("tap0", 1, TRUE);
    g_autoptr(CulvertTun) tap = NULL, other = NULL, tun = NULL;
    struct sockaddr address, another;

    memcpy(options.mac, station, sizeof station);
    tap = open_device(&options);
    g_assert_true(culvert_tun_is_tap(tap));
    hardware_address("tap0", &address);
    g_assert_cmpint(address.sa_family, ==, ARPHRD_ETHER);
    g_assert_cmpmem(address.sa_data, sizeof station, station, sizeof station);
    options = options_of("tap1", 1, TRUE);
    other = open_device(&options);
    hardware_address("tap1", &another);
    g_assert_cmpint(memcmp(address.sa_data, another.sa_data, sizeof station), !=, 0);
    options = options_of("tun0", 1, FALSE);
    tun = open_device(&options);
    g_assert_false(culvert_tun_is_tap(tun));
    hardware_address("tun0", &address);
    g_assert_cmpint(address.sa_family, ==, ARPHRD_NONE);
}

/* ---- Owners --------------------------------------------------------------------------------- */

/* Joins a device by its name, as anybody may try; returns the descriptor, or -1. */
static int join(const char *name, int flags)
{
    struct ifreq request = {.ifr_flags = (short) (flags | IFF_NO_PI | IFF_VNET_HDR)};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC | O_NONBLOCK), errsv;

    g_assert_cmpint(fd, >=, 0);
    g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
    if (ioctl(fd, TUNSETIFF, &request) == 0)
        return fd;
    errsv = errno;
    close(fd);
    errno = errsv;
    return -1;
}

/* The error that a user has who tries to; 0: none. */
static int try_to_join(const char *name, int flags, uid_t user, gid_t group)
{
    pid_t pid = fork();
    int status;

    if (pid == 0) {
        if (setgroups(0, NULL) != 0 || setresgid(group, group, group) != 0 ||
            setresuid(user, user, user) != 0)
            _exit(255);
        _exit(join(name, flags) >= 0 ? 0 : errno);
    }
    g_assert_cmpint(waitpid(pid, &status, 0), ==, pid);
    g_assert_true(WIFEXITED(status));
    return WEXITSTATUS(status);
}

static void test_owner(void)
{
    static const struct {
        uid_t owner;
        gid_t group;
        /* of: a stranger, the user, a member of the group, the user as one */
        int expected[4];
    } cases[] = {
        {NONE, NONE, {EPERM, EPERM, EPERM, EPERM}}, {OWNER, NONE, {EPERM, 0, EPERM, 0}},
        {NONE, GROUP, {EPERM, EPERM, 0, 0}},        {OWNER, GROUP, {EPERM, EPERM, EPERM, 0}},
        {0, NONE, {EPERM, EPERM, EPERM, EPERM}},
    };
    static const uid_t users[] = {STRANGER, OWNER, STRANGER, OWNER};
    static const gid_t groups[] = {STRANGER, STRANGER, GROUP, GROUP};

    for (guint i = 0; i < 2 * G_N_ELEMENTS(cases); i++) {
        gboolean is_tap = i % 2 == 0;
        CulvertTunOptions options = options_of("owned", 2, is_tap);
        int flags = (is_tap ? IFF_TAP : IFF_TUN) | IFF_MULTI_QUEUE;
        g_autoptr(CulvertTun) tun = NULL;

        options.owner = cases[i / 2].owner;
        options.group = cases[i / 2].group;
        tun = open_device(&options);
        for (guint who = 0; who < G_N_ELEMENTS(users); who++)
            g_assert_cmpint(try_to_join("owned", flags, users[who], groups[who]), ==,
                            cases[i / 2].expected[who]);
    }
}

/* Nobody joins a device of one queue, whoever it belongs to. */
static void test_owner_of_one_queue(void)
{
    CulvertTunOptions options = options_of("owned", 1, TRUE);
    g_autoptr(CulvertTun) tun = NULL;

    options.owner = OWNER;
    tun = open_device(&options);
    g_assert_cmpint(try_to_join("owned", IFF_TAP, OWNER, GROUP), ==, EBUSY);
    g_assert_cmpint(try_to_join("owned", IFF_TAP | IFF_MULTI_QUEUE, OWNER, GROUP), ==, EINVAL);
    g_assert_cmpint(try_to_join("owned", IFF_TAP, STRANGER, GROUP), ==, EPERM);
}

/* What somebody does who is there before the device has an owner is seen. */
static void test_joined_before(void)
{
    int first = join("early", IFF_TUN | IFF_MULTI_QUEUE), ifindex = (int) if_nametoindex("early");
    int other;

    g_assert_cmpint(first, >=, 0);
    g_assert_false(culvert_tun_is_own(ifindex, 1, NONE, NONE));
    other = join("early", IFF_TUN | IFF_MULTI_QUEUE);
    g_assert_cmpint(other, >=, 0);
    g_assert_true(culvert_tun_own(first, NONE, NONE));
    g_assert_false(culvert_tun_is_own(ifindex, 1, NONE, NONE));
    g_assert_true(culvert_tun_is_own(ifindex, 2, NONE, NONE));
    /* A queue that takes a rest counts, too. */
    struct ifreq request = {.ifr_flags = IFF_DETACH_QUEUE};
    g_assert_cmpint(ioctl(other, TUNSETQUEUE, &request), ==, 0);
    g_assert_false(culvert_tun_is_own(ifindex, 1, NONE, NONE));
    g_assert_true(culvert_tun_own(other, STRANGER, NONE));
    close(other);
    g_assert_false(culvert_tun_is_own(ifindex, 1, NONE, NONE));
    g_assert_true(culvert_tun_own(first, OWNER, GROUP));
    g_assert_true(culvert_tun_is_own(ifindex, 1, OWNER, GROUP));
    g_assert_false(culvert_tun_is_own(ifindex, 1, OWNER, NONE));
    close(first);
}

/* ---- Frames --------------------------------------------------------------------------------- */

/* A socket that sends whole frames through an interface. */
static int open_sender(const char *name)
{
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_ifindex = (int) if_nametoindex(name),
    };
    int fd = socket(AF_PACKET, SOCK_RAW | SOCK_CLOEXEC, 0);

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *) &address, sizeof address), ==, 0);
    return fd;
}

static void send_frame(int fd, GBytes *frame)
{
    gsize len;
    const guint8 *data = g_bytes_get_data(frame, &len);

    g_assert_cmpint(send(fd, data, len, 0), ==, (gssize) len);
}

/* Waits for the frame, past others, which the system sends by itself; returns its queue. */
static guint receive_frame(CulvertTun *tun, GBytes *expected)
{
    static guint8 buffer[CULVERT_TUN_MAX_PACKET];
    struct pollfd polled[CULVERT_TUN_QUEUES_MAX];
    guint n = culvert_tun_get_n_queues(tun);
    struct virtio_net_hdr vnet;
    gssize len;

    for (guint i = 0; i < n; i++)
        polled[i] = (struct pollfd){.fd = culvert_tun_get_fd(tun, i), .events = POLLIN};
    while (poll(polled, n, DEADLINE_MS) > 0) {
        for (guint i = 0; i < n; i++) {
            while ((len = culvert_tun_read(tun, i, &vnet, buffer, sizeof buffer)) > 0) {
                if ((gsize) len == g_bytes_get_size(expected) &&
                    memcmp(buffer, g_bytes_get_data(expected, NULL), (gsize) len) == 0)
                    return i;
            }
        }
    }
    g_error("A frame of %" G_GSIZE_FORMAT " bytes did not arrive", g_bytes_get_size(expected));
}

static void set_up_without_noise(const char *name)
{
    run_ip("link set %s addrgenmode none", name);
    run_ip("link set %s up", name);
}

/* All that is sent from one address to the other. */
static guint check_pair(CulvertTun *tun, int fd, guint version, guint8 n_tags, guint pair)
{
    guint queue = 0;

    for (guint i = 0; i < 6; i++) {
        Description d = i % 2 == 0 ? packets_tcp4(60) : packets_udp4(61);
        g_autoptr(GBytes) frame = NULL;
        guint got;

        d = packets_as_frame(version == 4 ? d : packets_as6(d), n_tags);
        d.source = (guint8) (pair / 4);
        d.destination = (guint8) (pair % 4);
        d.source_port = (guint16) (i * 1000);
        d.tos = (guint8) (4 * i);
        d.fragment = i == 4 ? 0x2000 : i == 5 ? 0x0010 : 0;
        d.tags[0] = (guint16) (pair + i);
        d.station = (guint8) i;
        frame = packets_build(&d);
        send_frame(fd, frame);
        got = receive_frame(tun, frame);
        if (i == 0)
            queue = got;
        g_assert_cmpuint(got, ==, queue);
    }
    return queue;
}

static guint count_bits(guint bits)
{
    return (guint) __builtin_popcount(bits);
}

/* A queue for two addresses, in whatever VLAN; all queues for many. */
static void test_queues_by_addresses(void)
{
    const CulvertTunOptions options = options_of("tap0", QUEUES, TRUE);
    g_autoptr(CulvertTun) tun = open_device(&options);
    guint tags_queue[64];
    int fd;

    set_up_without_noise("tap0");
    fd = open_sender("tap0");
    for (guint version = 4; version <= 6; version += 2) {
        for (guint8 n_tags = 0; n_tags <= 2; n_tags++) {
            guint used = 0;

            for (guint pair = 0; pair < G_N_ELEMENTS(tags_queue); pair++) {
                guint queue = check_pair(tun, fd, version, n_tags, pair);

                used |= 1u << queue;
                if (n_tags == 0)
                    tags_queue[pair] = queue;
                g_assert_cmpuint(queue, ==, tags_queue[pair]);
            }
            g_assert_cmpuint(count_bits(used), ==, QUEUES);
        }
    }
    close(fd);
}

/* Without IP it is the stations that count. */
static void test_queues_by_stations(void)
{
    const CulvertTunOptions options = options_of("tap0", QUEUES, TRUE);
    g_autoptr(CulvertTun) tun = open_device(&options);
    guint used = 0;
    int fd;

    set_up_without_noise("tap0");
    fd = open_sender("tap0");
    for (guint pair = 0; pair < 64; pair++) {
        guint8 data[60] = {2, 0, 0, 0, 0, (guint8) (pair / 4), 2, 0, 0, 0, 0, (guint8) (pair % 4)};
        guint queue = 0;

        for (guint i = 0; i < 4; i++) {
            g_autoptr(GBytes) frame = NULL;
            guint got;

            data[12] = 0x88; /* LLDP, and such of its neighbours as are not tags */
            data[13] = (guint8) (0xcc + i);
            memset(data + 14, (int) i, sizeof data - 14);
            frame = g_bytes_new(data, sizeof data);
            send_frame(fd, frame);
            got = receive_frame(tun, frame);
            if (i == 0)
                queue = got;
            g_assert_cmpuint(got, ==, queue);
        }
        used |= 1u << queue;
    }
    g_assert_cmpuint(count_bits(used), ==, QUEUES);
    close(fd);
}

/* A tag that the kernel has put beside the frame, as it does with what it receives, is back in its
 * place. */
static void test_tags_are_inline(void)
{
    const CulvertTunOptions options = options_of("tap0", QUEUES, TRUE);
    g_autoptr(CulvertTun) tun = open_device(&options);
    Description d = packets_as_frame(packets_udp4(100), 1);
    g_autoptr(GBytes) frame = packets_build(&d);
    int fd;

    run_ip("link add br0 type bridge forward_delay 0 mcast_snooping 0");
    run_ip("link add outside type veth peer name inside");
    run_ip("link set inside master br0");
    run_ip("link set tap0 master br0");
    set_up_without_noise("br0");
    set_up_without_noise("inside");
    set_up_without_noise("outside");
    set_up_without_noise("tap0");
    fd = open_sender("outside");
    send_frame(fd, frame);
    receive_frame(tun, frame);
    close(fd);
    run_ip("link delete br0");
    run_ip("link delete outside");
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (unshare(CLONE_NEWNET) != 0)
        g_error("Cannot make a network namespace (%s): run this test as root", g_strerror(errno));
#define ADD(name, func) g_test_add_func("/tun/" name, func)
    ADD("errors", test_errors);
    ADD("kind", test_kind);
    ADD("owner/may-join", test_owner);
    ADD("owner/of-one-queue", test_owner_of_one_queue);
    ADD("owner/joined-before", test_joined_before);
    ADD("queues/by-addresses", test_queues_by_addresses);
    ADD("queues/by-stations", test_queues_by_stations);
    ADD("tags-are-inline", test_tags_are_inline);
    return g_test_run();
}
