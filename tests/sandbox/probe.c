/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * probe.c: confines itself as the daemons do, and tries what they must not be able to do, each in a
 * process of its own. Prints TAP. As root, so that nothing but the sandbox forbids it.
 */
#include "config.h"

#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <net/if.h>
#include <netinet/in.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "sandbox/culvert-sandbox.h"

/* What a try returns when the kernel let it have its way. */
#define ALLOWED 0

#define PATH_OF_ROOT          "/run/culvert-probe"
#define PATH_IN_SOCKET_FOLDER "/var/run/wireguard/probe"

typedef struct {
    const char *name;
    int (*try)(void); /* ALLOWED, or the errno */
    int expected;     /* an errno, ALLOWED, or the negative number of the signal that ends it */
    gboolean packets; /* in a packet thread */
} Probe;

static int result(long value)
{
    return value < 0 ? errno : ALLOWED;
}

static int open_as(const char *path, int flags)
{
    return result(open(path, flags, 0600));
}

/* ---- Programs and processes ----------------------------------------------------------------- */

static int try_exec(void)
{
    return result(execl("/bin/true", "true", NULL));
}

static int try_execveat(void)
{
    char *argv[] = {(char[]){"true"}, NULL};

    return result(syscall(SYS_execveat, AT_FDCWD, "/bin/true", argv, NULL, 0));
}

static int try_fork(void)
{
    pid_t child = fork();

    if (child == 0)
        _exit(0);
    return result(child);
}

static int try_spawn(void)
{
    g_autoptr(GError) error = NULL;

    return g_spawn_command_line_sync("/bin/true", NULL, NULL, NULL, &error) ? ALLOWED : EPERM;
}

static int try_ptrace(void)
{
    return result(ptrace(PTRACE_TRACEME, 0, NULL, NULL));
}

static int try_read_other_memory(void)
{
    char byte;
    struct iovec here = {&byte, 1}, there = {&byte, 1};

    return result(syscall(SYS_process_vm_readv, getppid(), &here, 1L, &there, 1L, 0L));
}

static int try_kill(void)
{
    return result(kill(getppid(), 0));
}

static int try_signal_other(void)
{
    return result(syscall(SYS_tgkill, getppid(), getppid(), 0));
}

static gpointer thread_main(gpointer data)
{
    return data;
}

/* Not through GLib, which gives up the process if it gets none. */
static int try_thread(void)
{
    pthread_t thread;
    int error = pthread_create(&thread, NULL, thread_main, NULL);

    return error != 0 ? error : pthread_join(thread, NULL);
}

static int try_namespace(void)
{
    return result(unshare(CLONE_NEWNS));
}

static int try_code(void)
{
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    return result(mprotect(page, 4096, PROT_READ | PROT_EXEC));
}

static int try_code_at_once(void)
{
    return mmap(NULL, 4096, PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) ==
                   MAP_FAILED
               ? errno
               : ALLOWED;
}

/* One of the C library's own that nothing here has loaded. */
static int try_library(void)
{
    return dlopen("libBrokenLocale.so.1", RTLD_NOW) ? ALLOWED : EACCES;
}

static int try_core_dump(void)
{
    struct rlimit limit = {4096, 4096};

    return result(setrlimit(RLIMIT_CORE, &limit));
}

/* As the kernel has it for /proc/PID, ptrace(2) and a core dump. */
static int try_be_looked_into(void)
{
    return prctl(PR_GET_DUMPABLE, 0, 0, 0, 0) == 1 ? ALLOWED : EPERM;
}

/* ---- Files ---------------------------------------------------------------------------------- */

static int try_create(void)
{
    return open_as("/run/culvert-probe-new", O_WRONLY | O_CREAT);
}

static int try_create_in_socket_folder(void)
{
    return open_as(PATH_IN_SOCKET_FOLDER, O_RDWR | O_CREAT);
}

static int try_write(void)
{
    return open_as(PATH_OF_ROOT, O_WRONLY);
}

static int try_update(void)
{
    return open_as(PATH_OF_ROOT, O_RDWR);
}

static int try_read(void)
{
    return open_as(PATH_OF_ROOT, O_RDONLY);
}

static int try_shadow(void)
{
    return open_as("/etc/shadow", O_RDONLY);
}

static int try_resolv_conf(void)
{
    return open_as("/etc/resolv.conf", O_RDONLY);
}

static int try_list(void)
{
    return open_as("/", O_RDONLY | O_DIRECTORY);
}

static int try_proc(void)
{
    return open_as("/proc/self/mem", O_RDWR);
}

static int try_sysctl(void)
{
    return open_as("/proc/sys/net/ipv4/ip_forward", O_RDWR);
}

static int try_router_adverts(void)
{
    return open_as("/proc/sys/net/ipv6/conf/default/accept_ra", O_RDWR);
}

static int try_unlink(void)
{
    return result(unlink(PATH_OF_ROOT));
}

static int try_rename(void)
{
    return result(rename(PATH_OF_ROOT, "/run/culvert-probe-2"));
}

static int try_chmod(void)
{
    return result(chmod(PATH_OF_ROOT, 0666));
}

static int try_link(void)
{
    return result(symlink("/etc/shadow", PATH_IN_SOCKET_FOLDER));
}

static int try_mount(void)
{
    return result(syscall(SYS_mount, "none", "/mnt", "tmpfs", 0UL, NULL));
}

static int try_translation(void)
{
    return open_as("/usr/share/locale", O_RDONLY | O_DIRECTORY);
}

/* ---- Sockets and devices -------------------------------------------------------------------- */

static int try_tcp(void)
{
    return result(socket(AF_INET, SOCK_STREAM, 0));
}

static int try_raw(void)
{
    return result(socket(AF_INET, SOCK_RAW, IPPROTO_ICMP));
}

static int try_packet(void)
{
    return result(socket(AF_PACKET, SOCK_RAW, 0));
}

static int try_audit(void)
{
    return result(socket(AF_NETLINK, SOCK_RAW, NETLINK_AUDIT));
}

static int try_udp(void)
{
    int fd = socket(AF_INET6, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    struct sockaddr_in6 any = {.sin6_family = AF_INET6};
    int one = 1;

    if (fd < 0 || bind(fd, (struct sockaddr *) &any, sizeof any) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_MARK, &one, sizeof one) != 0)
        return errno;
    return ALLOWED;
}

static int try_low_port(void)
{
    int fd = socket(AF_INET, SOCK_DGRAM, 0);
    struct sockaddr_in low = {.sin_family = AF_INET, .sin_port = htons(443)};

    return result(bind(fd, (struct sockaddr *) &low, sizeof low));
}

static int try_routes(void)
{
    return result(socket(AF_NETLINK, SOCK_RAW | SOCK_CLOEXEC, NETLINK_ROUTE));
}

static int try_device(void)
{
    struct ifreq request = {.ifr_flags = IFF_TUN | IFF_NO_PI, .ifr_name = "probe%d"};
    int fd = open("/dev/net/tun", O_RDWR | O_CLOEXEC);

    return fd < 0 ? errno : result(ioctl(fd, TUNSETIFF, &request));
}

static int try_root(void)
{
    return result(setuid(0));
}

/* ---- In a packet thread --------------------------------------------------------------------- */

static int try_socket(void)
{
    return result(socket(AF_INET, SOCK_DGRAM, 0));
}

static int try_socketpair(void)
{
    int fds[2];

    return result(socketpair(AF_UNIX, SOCK_DGRAM, 0, fds));
}

static int try_memory(void)
{
    g_autofree char *much = g_malloc0(1 << 20);

    return much[4096];
}

static const Probe probes[] = {
    {"exec", try_exec, -SIGSYS, FALSE},
    {"execveat", try_execveat, -SIGSYS, FALSE},
    {"fork", try_fork, EPERM, FALSE},
    {"spawn", try_spawn, EPERM, FALSE},
    {"ptrace", try_ptrace, -SIGSYS, FALSE},
    {"other-memory", try_read_other_memory, -SIGSYS, FALSE},
    {"kill", try_kill, EPERM, FALSE},
    {"signal-other", try_signal_other, EPERM, FALSE},
    {"namespace", try_namespace, -SIGSYS, FALSE},
    {"code", try_code, EPERM, FALSE},
    {"code-at-once", try_code_at_once, EPERM, FALSE},
    {"library", try_library, EACCES, FALSE},
    {"core-dump", try_core_dump, EPERM, FALSE},
    {"be-looked-into", try_be_looked_into, EPERM, FALSE},
    {"create", try_create, EPERM, FALSE},
    {"create-in-socket-folder", try_create_in_socket_folder, EPERM, FALSE},
    {"write", try_write, EPERM, FALSE},
    {"update", try_update, EACCES, FALSE},
    {"read", try_read, EACCES, FALSE},
    {"read-shadow", try_shadow, EACCES, FALSE},
    {"read-resolv-conf", try_resolv_conf, EACCES, FALSE},
    {"list", try_list, EACCES, FALSE},
    {"proc-mem", try_proc, EACCES, FALSE},
    {"sysctl", try_sysctl, EACCES, FALSE},
    {"unlink", try_unlink, EACCES, FALSE},
    {"rename", try_rename, EACCES, FALSE},
    {"chmod", try_chmod, EPERM, FALSE},
    {"symlink", try_link, EPERM, FALSE},
    {"mount", try_mount, -SIGSYS, FALSE},
    {"tcp", try_tcp, EPERM, FALSE},
    {"raw", try_raw, EPERM, FALSE},
    {"packet", try_packet, EPERM, FALSE},
    {"audit", try_audit, EPERM, FALSE},
    {"setuid", try_root, EPERM, FALSE},
    /* What has to go on working. */
    {"may-thread", try_thread, ALLOWED, FALSE},
    {"may-translate", try_translation, ALLOWED, FALSE},
    {"may-udp", try_udp, ALLOWED, FALSE},
    {"may-low-port", try_low_port, ALLOWED, FALSE},
    {"may-routes", try_routes, ALLOWED, FALSE},
    {"may-ignore-routers", try_router_adverts, ALLOWED, FALSE},
    {"may-device", try_device, ALLOWED, FALSE},
    /* A packet thread has less. */
    {"packets-exec", try_exec, -SIGSYS, TRUE},
    {"packets-open", try_translation, EPERM, TRUE},
    {"packets-socket", try_socket, EPERM, TRUE},
    {"packets-socketpair", try_socketpair, EPERM, TRUE},
    {"packets-thread", try_thread, EPERM, TRUE},
    {"packets-code", try_code_at_once, EPERM, TRUE},
    {"packets-may-have-memory", try_memory, ALLOWED, TRUE},
};

/* ---- Running them --------------------------------------------------------------------------- */

static gpointer packets_main(gpointer data)
{
    const Probe *probe = data;

    culvert_sandbox_packet_thread();
    return GINT_TO_POINTER(probe->try());
}

static _Noreturn void run_confined(const Probe *probe)
{
    g_autoptr(GError) error = NULL;
    int status;

    if (!culvert_sandbox_enter(&error)) {
        g_printerr("%s\n", error->message);
        _exit(255);
    }
    if (probe->packets)
        status =
            GPOINTER_TO_INT(g_thread_join(g_thread_new("packets", packets_main, (gpointer) probe)));
    else
        status = probe->try();
    _exit(status);
}

static int outcome(const Probe *probe, gboolean confined)
{
    pid_t child = fork();
    int status = 0;

    if (child == 0 && confined)
        run_confined(probe);
    if (child == 0)
        _exit(probe->try());
    g_assert_cmpint(waitpid(child, &status, 0), ==, child);
    return WIFSIGNALED(status) ? -WTERMSIG(status) : WEXITSTATUS(status);
}

/* Without the sandbox it succeeds. So nothing may be among the tries that harms the machine. */
static void test_probe(gconstpointer data)
{
    const Probe *probe = data;

    g_assert_true(g_file_set_contents(PATH_OF_ROOT, "secret", -1, NULL));
    g_assert_cmpint(outcome(probe, FALSE), ==, ALLOWED);
    g_assert_true(g_file_set_contents(PATH_OF_ROOT, "secret", -1, NULL));
    (void) unlink(PATH_IN_SOCKET_FOLDER);
    g_assert_cmpint(outcome(probe, TRUE), ==, probe->expected);
}

int main(int argc, char **argv)
{
    g_test_init(&argc, &argv, NULL);
    /* Devices and files of the machine are left alone. */
    g_assert_cmpint(unshare(CLONE_NEWNET | CLONE_NEWNS), ==, 0);
    g_assert_cmpint(mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL), ==, 0);
    g_assert_cmpint(mount("none", "/run", "tmpfs", 0, NULL), ==, 0);
    g_assert_cmpint(mkdir("/run/wireguard", 0755), ==, 0);
    for (guint i = 0; i < G_N_ELEMENTS(probes); i++) {
        g_autofree char *path = g_strconcat("/sandbox/", probes[i].name, NULL);

        g_test_add_data_func(path, &probes[i], test_probe);
    }
    return g_test_run();
}
