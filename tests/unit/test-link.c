/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * test-link.c: an interface watched through its life, in a network namespace of its own.
 */
#include "tun/culvert-link.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <net/if.h>
#include <net/if_arp.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "run-ip.h"
#include "tun/culvert-tun.h"
#include "wait-until.h"

typedef struct {
    CulvertTun *tun;
    CulvertLink *link;
    CulvertLinkState state;
    guint calls;
} Fixture;

static void on_link(const CulvertLinkState *state, gpointer data)
{
    Fixture *f = data;

    f->state = *state;
    f->calls++;
}

static void change(unsigned long what, struct ifreq *request)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (ioctl(fd, what, request) != 0)
        g_error("Cannot change the interface %s: %s", request->ifr_name, g_strerror(errno));
    close(fd);
}

static struct ifreq request_for(const char *name)
{
    struct ifreq request = {0};

    g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
    return request;
}

static void set_up_flag(const char *name, gboolean up)
{
    struct ifreq request = request_for(name);

    request.ifr_flags = up ? IFF_UP : 0;
    change(SIOCSIFFLAGS, &request);
}

static void set_mtu(const char *name, int mtu)
{
    struct ifreq request = request_for(name);

    request.ifr_mtu = mtu;
    change(SIOCSIFMTU, &request);
}

static void set_up(Fixture *f, gconstpointer unused)
{
    CulvertTunOptions options = CULVERT_TUN_OPTIONS_INIT;
    g_autoptr(GError) error = NULL;

    options.name = "watched";
    f->tun = culvert_tun_open(&options, &error);
    g_assert_no_error(error);
    f->link = culvert_link_watch(f->tun, TRUE, on_link, f, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(f->calls, ==, 0);
    wait_until(f->calls > 0);
}

static void tear_down(Fixture *f, gconstpointer unused)
{
    culvert_link_free(f->link);
    culvert_tun_free(f->tun);
}

static void test_present_state(Fixture *f, gconstpointer unused)
{
    g_assert_true(f->state.exists);
    g_assert_false(f->state.up);
    g_assert_cmpuint(f->state.mtu, ==, 1500);
}

static void test_changes(Fixture *f, gconstpointer unused)
{
    set_up_flag("watched", TRUE);
    wait_until(f->state.up);
    set_mtu("watched", 1280);
    wait_until(f->state.mtu == 1280);
    g_assert_true(f->state.up);
    set_up_flag("watched", FALSE);
    wait_until(!f->state.up);
    g_assert_true(f->state.exists);
    g_assert_cmpuint(f->state.mtu, ==, 1280);
}

/* The interface is known by its number. */
static void test_renamed(Fixture *f, gconstpointer unused)
{
    struct ifreq request = request_for("watched");

    g_strlcpy(request.ifr_newname, "renamed", sizeof request.ifr_newname);
    change(SIOCSIFNAME, &request);
    set_mtu("renamed", 1300);
    wait_until(f->state.mtu == 1300);
    g_assert_true(f->state.exists);
}

static void test_removed(Fixture *f, gconstpointer unused)
{
    run_ip("link delete watched");
    wait_until(!f->state.exists);
}

static void test_not_there(Fixture *f, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;
    Fixture other = {.state = {.exists = TRUE}};

    run_ip("link delete watched");
    other.link = culvert_link_watch(f->tun, TRUE, on_link, &other, &error);
    g_assert_no_error(error);
    wait_until(other.calls > 0);
    g_assert_false(other.state.exists);
    culvert_link_free(other.link);
}

/* The namespace of this thread. */
static int open_namespace(void)
{
    int fd = open("/proc/thread-self/ns/net", O_RDONLY | O_CLOEXEC);

    g_assert_cmpint(fd, >=, 0);
    return fd;
}

static void move(int netns)
{
    run_ip("link set watched netns /proc/%d/fd/%d", getpid(), netns);
}

/* In another namespace it gets another number if its own is taken there. */
static void test_moved(Fixture *f, gconstpointer unused)
{
    int home = open_namespace(), ifindex = culvert_tun_get_ifindex(f->tun), there;

    g_assert_cmpint(unshare(CLONE_NEWNET), ==, 0);
    there = open_namespace();
    for (int i = 2; i <= ifindex; i++)
        run_ip("tuntap add taken%d mode tun", i);
    g_assert_cmpint(setns(home, CLONE_NEWNET), ==, 0);

    set_up_flag("watched", TRUE);
    wait_until(f->state.up);
    move(there);
    wait_until(!f->state.up); /* the kernel's doing */
    g_assert_cmpint(setns(there, CLONE_NEWNET), ==, 0);
    set_mtu("watched", 1300);
    set_up_flag("watched", TRUE);
    wait_until(f->state.up && f->state.mtu == 1300);
    g_assert_cmpint(culvert_tun_get_ifindex(f->tun), !=, ifindex);
    move(home);
    wait_until(!f->state.up);
    g_assert_cmpint(setns(home, CLONE_NEWNET), ==, 0);
    set_up_flag("watched", TRUE);
    wait_until(f->state.up);
    g_assert_cmpuint(culvert_tun_get_mtu(f->tun), ==, 1300);
    run_ip("link delete watched");
    wait_until(!f->state.exists);
    close(home);
    close(there);
}

static void set_mac(const char *name, guint8 last)
{
    struct ifreq request = request_for(name);

    request.ifr_hwaddr.sa_family = ARPHRD_ETHER;
    memcpy(request.ifr_hwaddr.sa_data, (const guint8[]){2, 0, 0, 0, 0, last}, 6);
    change(SIOCSIFHWADDR, &request);
}

static gboolean is_mac(const guint8 mac[6], guint8 last)
{
    return memcmp(mac, (const guint8[]){2, 0, 0, 0, 0, last}, 6) == 0;
}

/* Of a TAP device, and of the bridge above it, which may take another, come and go. */
static void test_macs(void)
{
    const guint8 none[6] = {0};
    CulvertTunOptions options = CULVERT_TUN_OPTIONS_INIT;
    g_autoptr(GError) error = NULL;
    Fixture f = {0};

    options.name = "ethernet";
    options.tap = TRUE;
    memcpy(options.mac, (const guint8[]){2, 0, 0, 0, 0, 1}, 6);
    f.tun = culvert_tun_open(&options, &error);
    g_assert_no_error(error);
    f.link = culvert_link_watch(f.tun, TRUE, on_link, &f, &error);
    g_assert_no_error(error);
    wait_until(is_mac(f.state.mac, 1));
    set_mac("ethernet", 2);
    wait_until(is_mac(f.state.mac, 2));

    run_ip("link add above address 02:00:00:00:00:11 type bridge");
    run_ip("link set ethernet master above");
    wait_until(is_mac(f.state.bridge_mac, 0x11));
    set_mac("above", 0x12);
    wait_until(is_mac(f.state.bridge_mac, 0x12));
    set_mtu("ethernet", 1300);
    wait_until(f.state.mtu == 1300);
    g_assert_true(is_mac(f.state.bridge_mac, 0x12) && is_mac(f.state.mac, 2));
    run_ip("link set ethernet nomaster");
    wait_until(memcmp(f.state.bridge_mac, none, 6) == 0);
    run_ip("link set ethernet master above");
    wait_until(is_mac(f.state.bridge_mac, 0x12));
    run_ip("link delete above");
    wait_until(memcmp(f.state.bridge_mac, none, 6) == 0);
    g_assert_true(f.state.exists && is_mac(f.state.mac, 2));
    culvert_link_free(f.link);
    culvert_tun_free(f.tun);
}

/* As gone, where it is not to be followed. */
static void test_not_followed(Fixture *f, gconstpointer unused)
{
    int home = open_namespace(), there;
    g_autoptr(GError) error = NULL;
    Fixture other = {0};

    g_assert_cmpint(unshare(CLONE_NEWNET), ==, 0);
    there = open_namespace();
    g_assert_cmpint(setns(home, CLONE_NEWNET), ==, 0);
    other.link = culvert_link_watch(f->tun, FALSE, on_link, &other, &error);
    g_assert_no_error(error);
    wait_until(other.state.exists);
    move(there);
    wait_until(!other.state.exists);
    wait_until(!f->state.up);
    g_assert_true(f->state.exists);
    culvert_link_free(other.link);
    close(home);
    close(there);
}

/* The state is told once, and what other interfaces do is not told at all. */
static void test_only_changes_are_told(Fixture *f, gconstpointer unused)
{
    guint calls = f->calls;

    for (int mtu = 40000; mtu < 40010; mtu++)
        set_mtu("lo", mtu);
    set_mtu("watched", 1500);
    set_up_flag("watched", TRUE);
    wait_until(f->state.up);
    g_assert_cmpuint(f->calls, ==, calls + 1);
}

/* More messages than the socket holds: some are lost, the last state is not. */
static void test_messages_lost(Fixture *f, gconstpointer unused)
{
    for (int i = 0; i < 4000; i++)
        set_mtu("watched", 1000 + i % 2);
    set_mtu("watched", 1400);
    set_up_flag("watched", TRUE);
    wait_until(f->state.up && f->state.mtu == 1400);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    if (unshare(CLONE_NEWNET) != 0)
        g_error("Cannot make a network namespace (%s): run this test as root", g_strerror(errno));
#define ADD(name, func) g_test_add("/link/" name, Fixture, NULL, set_up, func, tear_down)
    ADD("present-state", test_present_state);
    ADD("changes", test_changes);
    ADD("renamed", test_renamed);
    ADD("removed", test_removed);
    g_test_add_func("/link/macs", test_macs);
    ADD("not-there", test_not_there);
    ADD("moved", test_moved);
    ADD("not-followed", test_not_followed);
    ADD("only-changes", test_only_changes_are_told);
    ADD("messages-lost", test_messages_lost);
    return g_test_run();
}
