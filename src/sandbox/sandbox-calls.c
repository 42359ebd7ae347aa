/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * sandbox-calls.c: which system calls are left (seccomp(2), through libseccomp). An allow list:
 * anything else fails with EPERM, so that what a library may come to try costs a feature at worst;
 * but what only another program's code would ask for, a new program above all, ends the process.
 */
#include "config.h"

#include "sandbox-private.h"

#include <errno.h>
#include <fcntl.h>
#include <gio/gio.h>
#include <glib/gi18n-lib.h>
#include <linux/if_tun.h>
#include <linux/netlink.h>
#include <linux/sockios.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <unistd.h>

/* libseccomp's: the filter is searched as a tree, not a list. */
#define OPTIMIZE_AS_TREE 2

/* In <fcntl.h> it comes with O_DIRECTORY, which alone is harmless. */
#define TMPFILE_BIT (O_TMPFILE & ~O_DIRECTORY)

/* The type of a socket without SOCK_CLOEXEC and SOCK_NONBLOCK. */
#define SOCKET_TYPE 0xf

/* Moving packets, waiting, memory, and the end of a thread or the process. */
static const int packet_calls[] = {
    SCMP_SYS(read),
    SCMP_SYS(readv),
    SCMP_SYS(recvmsg),
    SCMP_SYS(recvmmsg),
    SCMP_SYS(recvfrom),
    SCMP_SYS(write),
    SCMP_SYS(writev),
    SCMP_SYS(sendmsg),
    SCMP_SYS(sendmmsg),
    SCMP_SYS(sendto),
    SCMP_SYS(poll),
    SCMP_SYS(ppoll),
    SCMP_SYS(futex),
    SCMP_SYS(sched_yield),
    SCMP_SYS(brk),
    SCMP_SYS(munmap),
    SCMP_SYS(mremap),
    SCMP_SYS(madvise),
    SCMP_SYS(membarrier),
    SCMP_SYS(mlock),
    SCMP_SYS(mlock2),
    SCMP_SYS(munlock),
    SCMP_SYS(close),
    SCMP_SYS(fcntl),
    SCMP_SYS(setsockopt),
    SCMP_SYS(getsockopt),
    SCMP_SYS(clock_gettime),
    SCMP_SYS(clock_nanosleep),
    SCMP_SYS(nanosleep),
    SCMP_SYS(gettimeofday),
    SCMP_SYS(time),
    SCMP_SYS(getrandom),
    SCMP_SYS(getcpu),
    SCMP_SYS(getpid),
    SCMP_SYS(gettid),
    SCMP_SYS(sched_getaffinity),
    SCMP_SYS(rt_sigprocmask),
    SCMP_SYS(rt_sigreturn),
    SCMP_SYS(rt_sigaction),
    SCMP_SYS(sigaltstack),
    SCMP_SYS(restart_syscall),
    SCMP_SYS(set_robust_list),
    SCMP_SYS(rseq),
    SCMP_SYS(exit),
    SCMP_SYS(exit_group),
};

/* What the control thread, D-Bus, GIO and the C library need besides. Opening files, sockets and
 * threads is below, as it depends on the arguments. */
static const int control_calls[] = {
    SCMP_SYS(accept),
    SCMP_SYS(accept4),
    SCMP_SYS(bind),
    SCMP_SYS(connect),
    SCMP_SYS(listen),
    SCMP_SYS(shutdown),
    SCMP_SYS(getsockname),
    SCMP_SYS(getpeername),
    SCMP_SYS(epoll_create1),
    SCMP_SYS(epoll_ctl),
    SCMP_SYS(epoll_wait),
    SCMP_SYS(epoll_pwait),
    SCMP_SYS(select),
    SCMP_SYS(pselect6),
    SCMP_SYS(eventfd2),
    SCMP_SYS(pipe2),
    SCMP_SYS(dup),
    SCMP_SYS(dup2),
    SCMP_SYS(dup3),
    SCMP_SYS(lseek),
    SCMP_SYS(pread64),
    SCMP_SYS(timerfd_create),
    SCMP_SYS(timerfd_settime),
    SCMP_SYS(timerfd_gettime),
    SCMP_SYS(clock_getres),
    SCMP_SYS(times),
    SCMP_SYS(getrusage),
    SCMP_SYS(sysinfo),
    SCMP_SYS(uname),
    SCMP_SYS(getppid),
    SCMP_SYS(getuid),
    SCMP_SYS(geteuid),
    SCMP_SYS(getgid),
    SCMP_SYS(getegid),
    SCMP_SYS(getresuid),
    SCMP_SYS(getresgid),
    SCMP_SYS(getgroups),
    SCMP_SYS(getrlimit),
    SCMP_SYS(sched_getattr),
    SCMP_SYS(sched_setattr),
    SCMP_SYS(sched_getparam),
    SCMP_SYS(sched_getscheduler),
    SCMP_SYS(rt_sigpending),
    SCMP_SYS(rt_sigtimedwait),
    SCMP_SYS(pause),
    SCMP_SYS(fstat),
    SCMP_SYS(stat),
    SCMP_SYS(lstat),
    SCMP_SYS(newfstatat),
    SCMP_SYS(statx),
    SCMP_SYS(statfs),
    SCMP_SYS(fstatfs),
    SCMP_SYS(access),
    SCMP_SYS(faccessat),
    SCMP_SYS(faccessat2),
    SCMP_SYS(readlink),
    SCMP_SYS(readlinkat),
    SCMP_SYS(getcwd),
    SCMP_SYS(getdents64),
    SCMP_SYS(fadvise64),
    SCMP_SYS(seccomp),
    SCMP_SYS(capget),
    SCMP_SYS(capset), /* packet threads give up more */
};

/* The configuration socket's file; Landlock says where. */
static const int socket_file_calls[] = {
    SCMP_SYS(inotify_init1),
    SCMP_SYS(inotify_add_watch),
    SCMP_SYS(inotify_rm_watch),
    SCMP_SYS(unlink),
    SCMP_SYS(unlinkat),
    SCMP_SYS(rename),
    SCMP_SYS(renameat),
    SCMP_SYS(renameat2),
    SCMP_SYS(mkdir),
    SCMP_SYS(mkdirat),
    SCMP_SYS(umask),
};

/* Libraries try these first, and have another way if the kernel is too old for them. */
static const int unknown_calls[] = {
    SCMP_SYS(clone3),       SCMP_SYS(openat2),      SCMP_SYS(futex_waitv), SCMP_SYS(io_uring_setup),
    SCMP_SYS(memfd_secret), SCMP_SYS(epoll_pwait2), SCMP_SYS(close_range), SCMP_SYS(pidfd_open),
};

static const int deadly_calls[] = {
    SCMP_SYS(execve),           SCMP_SYS(execveat),          SCMP_SYS(ptrace),
    SCMP_SYS(process_vm_readv), SCMP_SYS(process_vm_writev), SCMP_SYS(bpf),
    SCMP_SYS(perf_event_open),  SCMP_SYS(userfaultfd),       SCMP_SYS(mount),
    SCMP_SYS(umount2),          SCMP_SYS(pivot_root),        SCMP_SYS(chroot),
    SCMP_SYS(unshare),          SCMP_SYS(init_module),       SCMP_SYS(finit_module),
    SCMP_SYS(delete_module),    SCMP_SYS(kexec_load),        SCMP_SYS(kexec_file_load),
    SCMP_SYS(reboot),           SCMP_SYS(open_by_handle_at), SCMP_SYS(personality),
};

/* Of the TUN device and of interfaces. */
static const unsigned long device_requests[] = {
    TUNSETIFF,    TUNGETIFF,       TUNSETOFFLOAD,   TUNGETFEATURES,     TUNSETPERSIST,
    TUNSETQUEUE,  TUNGETVNETHDRSZ, TUNSETVNETHDRSZ, TUNSETVNETLE,       TUNSETLINK,
    TUNSETOWNER,  TUNSETGROUP,     TUNSETTXFILTER,  TUNSETSTEERINGEBPF, TUNGETDEVNETNS,
    SIOCGIFINDEX, SIOCGIFNAME,     SIOCGIFMTU,      SIOCSIFMTU,         SIOCGIFFLAGS,
    SIOCSIFFLAGS, SIOCGIFHWADDR,   SIOCSIFHWADDR,   SIOCGIFTXQLEN,      SIOCSIFTXQLEN,
    SIOCBRADDIF,
};

static const unsigned long file_requests[] = {FIONREAD, FIONBIO, TCGETS};

static const int threads_prctl[] = {
    PR_SET_NAME,         PR_GET_NAME,     PR_CAPBSET_READ,  PR_SET_NO_NEW_PRIVS,
    PR_GET_NO_NEW_PRIVS, PR_GET_DUMPABLE, PR_SET_PDEATHSIG,
};

/* `status` carries the first failure on. */
static void each(scmp_filter_ctx filter, guint32 action, const int *calls, gsize n, int *status)
{
    for (gsize i = 0; i < n && *status == 0; i++)
        *status = seccomp_rule_add(filter, action, calls[i], 0);
}

static void if_arg(scmp_filter_ctx filter, int call, struct scmp_arg_cmp condition, int *status)
{
    if (*status == 0)
        *status = seccomp_rule_add_array(filter, SCMP_ACT_ALLOW, call, 1, &condition);
}

/* Memory is never code, unless a library may be loaded. */
static void allow_memory(scmp_filter_ctx filter, SandboxRole role, int *status)
{
    const int calls[] = {SCMP_SYS(mmap), SCMP_SYS(mmap2), SCMP_SYS(mprotect)};

    for (guint i = 0; i < G_N_ELEMENTS(calls); i++) {
        if (role == SANDBOX_RESOLVER)
            each(filter, SCMP_ACT_ALLOW, &calls[i], 1, status);
        else
            if_arg(filter, calls[i], SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0), status);
    }
}

/* abort() and the like, of one's own threads. */
static void allow_own_signals(scmp_filter_ctx filter, int *status)
{
    if_arg(filter, SCMP_SYS(tgkill), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t) getpid()), status);
}

static void allow_threads(scmp_filter_ctx filter, int *status)
{
    /* Threads alone: neither processes nor namespaces. */
    const scmp_datum_t spaces = CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC |
                                CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWNET;

    if_arg(filter, SCMP_SYS(clone),
           SCMP_A0(SCMP_CMP_MASKED_EQ, CLONE_THREAD | spaces, CLONE_THREAD), status);
    for (guint i = 0; i < G_N_ELEMENTS(threads_prctl); i++)
        if_arg(filter, SCMP_SYS(prctl), SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t) threads_prctl[i]),
               status);
    /* Limits may be asked for, not set. */
    if_arg(filter, SCMP_SYS(prlimit64), SCMP_A2(SCMP_CMP_EQ, 0), status);
}

static void allow_files(scmp_filter_ctx filter, SandboxRole role, int *status)
{
    scmp_datum_t forbidden = O_CREAT | O_TRUNC | O_WRONLY | TMPFILE_BIT;

    /* O_RDWR is for the TUN device: that it is for nothing else, Landlock says. */
    if (role == SANDBOX_RESOLVER)
        forbidden |= O_RDWR;
    if_arg(filter, SCMP_SYS(open), SCMP_A1(SCMP_CMP_MASKED_EQ, forbidden, 0), status);
    if_arg(filter, SCMP_SYS(openat), SCMP_A2(SCMP_CMP_MASKED_EQ, forbidden, 0), status);
    for (guint i = 0; i < G_N_ELEMENTS(file_requests); i++)
        if_arg(filter, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, file_requests[i]), status);
    for (guint i = 0; role == SANDBOX_DAEMON && i < G_N_ELEMENTS(device_requests); i++)
        if_arg(filter, SCMP_SYS(ioctl), SCMP_A1(SCMP_CMP_EQ, device_requests[i]), status);
}

static void allow_internet_sockets(scmp_filter_ctx filter, int family, SandboxRole role,
                                   int *status)
{
    const int types[] = {SOCK_DGRAM, SOCK_STREAM};

    /* Datagrams alone; but a name server may have to be asked through TCP. */
    for (guint i = 0; i < (role == SANDBOX_RESOLVER ? 2 : 1) && *status == 0; i++)
        *status =
            seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                             SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t) family),
                             SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_TYPE, (scmp_datum_t) types[i]));
}

static void allow_netlink(scmp_filter_ctx filter, int protocol, int *status)
{
    if (*status == 0)
        *status = seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 2,
                                   SCMP_A0(SCMP_CMP_EQ, AF_NETLINK),
                                   SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t) protocol));
}

static void allow_sockets(scmp_filter_ctx filter, SandboxRole role, int *status)
{
    if_arg(filter, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_UNIX), status);
    if_arg(filter, SCMP_SYS(socketpair), SCMP_A0(SCMP_CMP_EQ, AF_UNIX), status);
    allow_internet_sockets(filter, AF_INET, role, status);
    allow_internet_sockets(filter, AF_INET6, role, status);
    allow_netlink(filter, NETLINK_ROUTE, status);
    if (role == SANDBOX_DAEMON)
        allow_netlink(filter, NETLINK_NETFILTER, status);
}

static void allow_namespaces(scmp_filter_ctx filter, int *status)
{
    if_arg(filter, SCMP_SYS(setns), SCMP_A1(SCMP_CMP_EQ, CLONE_NEWNET), status);
    if_arg(filter, SCMP_SYS(socket), SCMP_A0(SCMP_CMP_EQ, AF_UNIX), status);
    allow_netlink(filter, NETLINK_ROUTE, status);
}

static int fill(scmp_filter_ctx filter, SandboxRole role)
{
    /* Our own data path pays for no stranger's program in this process; kernels before 5.16 would
     * slow down every confined thread (spec_store_bypass_disable). */
    int status = seccomp_attr_set(filter, SCMP_FLTATR_CTL_SSB, 1);

    if (status == 0)
        status = seccomp_attr_set(filter, SCMP_FLTATR_CTL_OPTIMIZE, OPTIMIZE_AS_TREE);
    each(filter, SCMP_ACT_ALLOW, packet_calls, G_N_ELEMENTS(packet_calls), &status);
    each(filter, SCMP_ACT_KILL_PROCESS, deadly_calls, G_N_ELEMENTS(deadly_calls), &status);
    each(filter, SCMP_ACT_ERRNO(ENOSYS), unknown_calls, G_N_ELEMENTS(unknown_calls), &status);
    allow_memory(filter, role, &status);
    allow_own_signals(filter, &status);
    if (role == SANDBOX_NETNS)
        allow_namespaces(filter, &status);
    else
        each(filter, SCMP_ACT_KILL_PROCESS, (int[]){SCMP_SYS(setns)}, 1, &status);
    if (role == SANDBOX_PACKETS || role == SANDBOX_NETNS)
        return status;
    each(filter, SCMP_ACT_ALLOW, control_calls, G_N_ELEMENTS(control_calls), &status);
    allow_threads(filter, &status);
    allow_files(filter, role, &status);
    allow_sockets(filter, role, &status);
    if (role == SANDBOX_DAEMON)
        each(filter, SCMP_ACT_ALLOW, socket_file_calls, G_N_ELEMENTS(socket_file_calls), &status);
    return status;
}

gboolean sandbox_restrict_calls(SandboxRole role, GError **error)
{
    scmp_filter_ctx filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
    int status = filter ? fill(filter, role) : -ENOMEM;

    if (status == 0)
        status = seccomp_load(filter);
    if (filter)
        seccomp_release(filter);
    if (status == 0)
        return TRUE;
    g_set_error(error, G_IO_ERROR, g_io_error_from_errno(-status),
                _("Cannot give up system calls that are not needed (seccomp): %s. To run without "
                  "this protection, set the environment variable %s=no"),
                g_strerror(-status), "CULVERT_SANDBOX");
    return FALSE;
}
