/* SPDX-License-Identifier: LGPL-2.1-or-later */
/* tunnel-ends.c: see tunnel-ends.h. */
#include "tunnel-ends.h"

#include <errno.h>
#include <glib-unix.h>
#include <glib/gstdio.h>
#include <linux/if_ether.h>
#include <linux/if_packet.h>
#include <net/if.h>
#include <sched.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mount.h>
#include <sys/socket.h>
#include <unistd.h>

/* ---- Two ends ------------------------------------------------------------------------------- */

static void on_handshake(CulvertTunnel *tunnel, const char *peer, GInetSocketAddress *endpoint,
                         End *end)
{
    end->handshakes++;
    g_assert_cmpuint(strlen(peer), ==, WG_KEY_BASE64_SIZE - 1);
    g_assert_true(G_IS_INET_SOCKET_ADDRESS(endpoint));
    g_free(end->last_endpoint);
    end->last_endpoint = g_socket_connectable_to_string(G_SOCKET_CONNECTABLE(endpoint));
}

static void on_attempt(CulvertTunnel *tunnel, const char *peer, const char *name,
                       GInetSocketAddress *endpoint, const GError *error, End *end)
{
    end->attempts++;
    g_assert_true((endpoint == NULL) == (error != NULL));
    if (endpoint && !end->first_attempt)
        end->first_attempt = g_socket_connectable_to_string(G_SOCKET_CONNECTABLE(endpoint));
    if (error) {
        end->unresolved++;
        g_free(end->last_error);
        end->last_error = g_strdup_printf("%s: %s", name, error->message);
    }
}

static void on_unsent(CulvertTunnel *tunnel, const char *peer, GInetSocketAddress *endpoint,
                      const GError *error, End *end)
{
    end->unsent++;
    g_assert_true(G_IS_INET_SOCKET_ADDRESS(endpoint));
    g_free(end->last_error);
    end->last_error = g_strdup(error->message);
}

static void on_silent(CulvertTunnel *tunnel, const char *peer, End *end)
{
    end->silent++;
}

static void on_moved(CulvertTunnel *tunnel, const char *peer, GInetSocketAddress *endpoint,
                     End *end)
{
    end->moves++;
}

static void on_failed(CulvertTunnel *tunnel, const GError *error, End *end)
{
    end->failures++;
    g_free(end->last_error);
    end->last_error = g_strdup(error->message);
}

void end_init(End *end)
{
    end->tunnel = culvert_tunnel_new();
    wg_key_generate(&end->private_key);
    wg_key_public(&end->public_key, &end->private_key);
    culvert_tunnel_set_private_key(end->tunnel, &end->private_key);
    g_signal_connect(end->tunnel, "handshake", G_CALLBACK(on_handshake), end);
    g_signal_connect(end->tunnel, "attempt", G_CALLBACK(on_attempt), end);
    g_signal_connect(end->tunnel, "endpoint-changed", G_CALLBACK(on_moved), end);
    g_signal_connect(end->tunnel, "unsent", G_CALLBACK(on_unsent), end);
    g_signal_connect(end->tunnel, "silent", G_CALLBACK(on_silent), end);
    g_signal_connect(end->tunnel, "failed", G_CALLBACK(on_failed), end);
}

void end_clear(End *end)
{
    g_clear_object(&end->tunnel);
    g_clear_pointer(&end->last_error, g_free);
    g_clear_pointer(&end->last_endpoint, g_free);
    g_clear_pointer(&end->first_attempt, g_free);
}

void add_peer(End *end, const End *peer, const WgPrefix *allowed, const WgKey *psk)
{
    g_autoptr(GError) error = NULL;

    g_assert_true(
        culvert_tunnel_add_peer(end->tunnel, &peer->public_key, psk, allowed, 1, 0, &error));
    g_assert_no_error(error);
}

/* ---- Fixture -------------------------------------------------------------------------------- */

const WgPrefix net_a = {{10, 77, 0, 1}, AF_INET, 32};
const WgPrefix net_b = {{10, 77, 0, 2}, AF_INET, 32};

void set_up(Fixture *f, gconstpointer unused)
{
    g_autoptr(GError) error = NULL;

    end_init(&f->a);
    end_init(&f->b);
    add_peer(&f->a, &f->b, &net_b, NULL);
    add_peer(&f->b, &f->a, &net_a, NULL);
    culvert_tunnel_listen(f->a.tunnel, 0, 0, &error);
    g_assert_no_error(error);
    culvert_tunnel_listen(f->b.tunnel, 0, 0, &error);
    g_assert_no_error(error);
    g_assert_cmpuint(culvert_tunnel_get_listen_port(f->a.tunnel), !=, 0);
}

void tear_down(Fixture *f, gconstpointer unused)
{
    end_clear(&f->a);
    end_clear(&f->b);
}

void dial(End *from, const End *to, const char *host)
{
    g_autofree char *endpoint =
        g_strdup_printf("%s:%u", host, culvert_tunnel_get_listen_port(to->tunnel));
    const char *endpoints[] = {endpoint, NULL};

    culvert_tunnel_dial(from->tunnel, &to->public_key, endpoints);
}

/* ---- Waiting for events --------------------------------------------------------------------- */

void count(guint *counter)
{
    ++*counter;
}

/* ---- Devices and packets -------------------------------------------------------------------- */

static void interface_up(const char *name)
{
    struct ifreq request = {0};
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    g_strlcpy(request.ifr_name, name, sizeof request.ifr_name);
    g_assert_cmpint(ioctl(fd, SIOCGIFFLAGS, &request), ==, 0);
    request.ifr_flags |= IFF_UP;
    g_assert_cmpint(ioctl(fd, SIOCSIFFLAGS, &request), ==, 0);
    close(fd);
}

/* A socket that sends and receives whole packets on a device, as the kernel's IP would. */
static int packet_socket(CulvertTun *tun)
{
    struct sockaddr_ll address = {
        .sll_family = AF_PACKET,
        .sll_protocol = g_htons(ETH_P_IP),
        .sll_ifindex = culvert_tun_get_ifindex(tun),
    };
    int fd = socket(AF_PACKET, SOCK_DGRAM | SOCK_CLOEXEC, g_htons(ETH_P_IP));

    g_assert_cmpint(fd, >=, 0);
    g_assert_cmpint(bind(fd, (struct sockaddr *) &address, sizeof address), ==, 0);
    return fd;
}

int attach(End *end)
{
    g_autoptr(GError) error = NULL;
    const CulvertTunOptions options = CULVERT_TUN_OPTIONS_INIT;
    CulvertTun *tun = culvert_tunnel_open_device(end->tunnel, &options, &error);

    g_assert_no_error(error);
    interface_up(culvert_tun_get_name(tun));
    culvert_tunnel_attach(end->tunnel, tun);
    return packet_socket(tun);
}

void make_packet(guint8 packet[PACKET_SIZE], const guint8 *from, const guint8 *to, guint8 filler)
{
    memset(packet, filler, PACKET_SIZE);
    packet[0] = 0x45;
    packet[2] = 0;
    packet[3] = PACKET_SIZE;
    memcpy(packet + 12, from, 4);
    memcpy(packet + 16, to, 4);
}

void send_packet(int fd, CulvertTun *tun, const guint8 packet[PACKET_SIZE])
{
    struct sockaddr_ll to = {
        .sll_family = AF_PACKET,
        .sll_protocol = g_htons(ETH_P_IP),
        .sll_ifindex = culvert_tun_get_ifindex(tun),
    };

    g_assert_cmpint(sendto(fd, packet, PACKET_SIZE, 0, (struct sockaddr *) &to, sizeof to), ==,
                    PACKET_SIZE);
}

static gboolean readable(int fd, GIOCondition condition, gpointer flag)
{
    *(gboolean *) flag = TRUE;
    return G_SOURCE_REMOVE;
}

void expect_packet(int fd, const guint8 packet[PACKET_SIZE])
{
    guint8 got[2048];
    gboolean there = FALSE;
    GSource *source = g_unix_fd_source_new(fd, G_IO_IN);

    g_source_set_callback(source, G_SOURCE_FUNC(readable), &there, NULL);
    g_source_attach(source, NULL);
    wait_until(there);
    g_source_unref(source);
    g_assert_cmpint(recv(fd, got, sizeof got, MSG_DONTWAIT), ==, PACKET_SIZE);
    g_assert_cmpmem(got, PACKET_SIZE, packet, PACKET_SIZE);
}

/* ---- A machine of its own ------------------------------------------------------------------- */

/* Another file there, for this process alone. */
static void replace_file(const char *name, const char *text)
{
    g_autofree char *path = NULL;
    int fd = g_file_open_tmp("file-XXXXXX", &path, NULL);

    g_assert_cmpint(write(fd, text, strlen(text)), ==, strlen(text));
    close(fd);
    g_assert_cmpint(mount(path, name, NULL, MS_BIND, NULL), ==, 0);
    g_unlink(path);
}

/* Names are asked of this machine alone, where no server is unless a test makes one. What is sent
 * to 2001:db8::77 comes back and is nobody's. */
static void use_own_resolver(void)
{
    g_assert_cmpint(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), ==, 0);
    replace_file("/etc/resolv.conf", "nameserver 127.0.0.1\n");
    replace_file("/etc/hosts", "2001:db8::77 half.example\n198.51.100.1 half.example\n"
                               "2001:db8::1 whole.example\n198.51.100.1 whole.example\n"
                               "2001:db8::77 gone.example\n");
}

void make_own_machine(void)
{
    if (unshare(CLONE_NEWNET | CLONE_NEWNS) != 0)
        g_error("Cannot make namespaces (%s): run this test as root", g_strerror(errno));
    interface_up("lo");
    /* Without an address beside loopback's, no name is looked up at all (AI_ADDRCONFIG). */
    run_ip("address add 198.51.100.1/32 dev lo");
    run_ip("address add 2001:db8::1/128 dev lo nodad");
    run_ip("-6 route add 2001:db8::77/128 dev lo");
    use_own_resolver();
}
