/* SPDX-License-Identifier: LGPL-2.1-or-later */
/*
 * udp-flood.c: how many UDP datagrams arrive.
 *
 *     udp-flood sink ADDRESS PORT
 *
 * counts until it is killed, and says "ready" first;
 *
 *     udp-flood send ADDRESS PORT SIZE RATE SECONDS
 *
 * sends datagrams with SIZE bytes of payload, RATE a second (0: as fast as it can), one a system
 * call, as programs do; then asks the sink, and prints the seconds it took, what it sent and what
 * arrived.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <glib.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#define SINK_BUFFER (32 * 1024 * 1024) /* the sink is never what loses a datagram */
#define TICK        (100 * 1000)       /* ns between two looks at what is due */
#define BURST       64                 /* datagrams between two looks at the clock */
#define ASK_WAIT    200                /* ms for an answer, and for what is still on its way */
#define ASK_TRIES   25
#define MAX_SIZE    65507

/* What is in a datagram. The sink counts those of a run by the run's number, and answers
 * questions with its count. All in the machine's byte order: both ends are on one. */
typedef struct {
    guint64 run;
    guint32 question;
    guint32 count;
} Mark;

static gint64 now_ns(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (gint64) now.tv_sec * 1000000000 + now.tv_nsec;
}

static void fail(const char *what)
{
    fprintf(stderr, "udp-flood: %s: %s\n", what, g_strerror(errno));
    exit(EXIT_FAILURE);
}

static int open_socket(const char *address, const char *port, struct sockaddr_in *name)
{
    int fd = socket(AF_INET, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    *name = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = htons((guint16) atoi(port))};
    if (fd < 0 || inet_pton(AF_INET, address, &name->sin_addr) != 1)
        fail("cannot open a socket");
    return fd;
}

G_GNUC_NORETURN static void sink(const char *address, const char *port)
{
    static guint8 buffer[MAX_SIZE];
    struct sockaddr_in name;
    int fd = open_socket(address, port, &name), size = SINK_BUFFER;
    guint64 run = 0;
    guint32 count = 0;

    if (setsockopt(fd, SOL_SOCKET, SO_RCVBUFFORCE, &size, sizeof size) < 0 ||
        bind(fd, (struct sockaddr *) &name, sizeof name) < 0)
        fail("cannot listen");
    puts("ready");
    fflush(stdout);
    for (;;) {
        struct sockaddr_in from;
        socklen_t from_len = sizeof from;
        gssize got = recvfrom(fd, buffer, sizeof buffer, 0, (struct sockaddr *) &from, &from_len);
        Mark mark;

        if (got < (gssize) sizeof mark)
            continue;
        memcpy(&mark, buffer, sizeof mark);
        if (mark.run != run)
            count = 0;
        run = mark.run;
        if (!mark.question) {
            count++;
            continue;
        }
        mark.count = count;
        (void) sendto(fd, &mark, sizeof mark, 0, (struct sockaddr *) &from, from_len);
    }
}

/* Sends until the time is over; returns how many. */
static guint32 flood(int fd, const guint8 *datagram, gsize size, double rate, gint64 duration)
{
    gint64 start = now_ns(), next = start;
    guint32 sent = 0;

    for (gint64 now = start; now - start < duration; now = now_ns()) {
        gint64 due = rate > 0 ? (gint64) (rate * (double) (now - start) / 1e9) - sent : BURST;

        if (due <= 0) {
            next = MAX(next + TICK, now);
            clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME,
                            &(struct timespec){next / 1000000000, next % 1000000000}, NULL);
            continue;
        }
        for (gint64 i = 0; i < MIN(due, BURST); i++) {
            /* No room in a queue is a loss like any other. */
            if (send(fd, datagram, size, 0) < 0 && errno != ENOBUFS && errno != EAGAIN)
                fail("cannot send");
            sent++;
        }
    }
    return sent;
}

/* The sink's count, asked until it is the same twice. */
static guint32 ask(int fd, guint64 run)
{
    guint32 last = G_MAXUINT32;

    for (guint32 question = 1; question <= ASK_TRIES; question++) {
        Mark mark = {.run = run, .question = question};
        struct pollfd answer = {.fd = fd, .events = POLLIN};

        (void) poll(NULL, 0, ASK_WAIT / 4);
        if (send(fd, &mark, sizeof mark, 0) < 0)
            continue;
        while (poll(&answer, 1, ASK_WAIT) > 0) {
            if (recv(fd, &mark, sizeof mark, 0) != sizeof mark)
                continue;
            if (mark.run != run || mark.question != question)
                continue;
            if (mark.count == last)
                return last;
            last = mark.count;
            break;
        }
    }
    errno = ETIMEDOUT;
    fail("the sink does not answer");
    return 0;
}

static int send_run(char **argv)
{
    static guint8 datagram[MAX_SIZE];
    struct sockaddr_in name;
    int fd = open_socket(argv[0], argv[1], &name);
    gsize size = CLAMP((gsize) atol(argv[2]), sizeof(Mark), MAX_SIZE);
    Mark mark = {.run = ((guint64) g_random_int() << 32) | 1};
    gint64 start;
    guint32 sent;
    double seconds;

    if (connect(fd, (struct sockaddr *) &name, sizeof name) < 0)
        fail("cannot connect");
    /* Otherwise a nap lasts 50 us longer than asked for. */
    prctl(PR_SET_TIMERSLACK, 1);
    memcpy(datagram, &mark, sizeof mark);
    start = now_ns();
    sent = flood(fd, datagram, size, atof(argv[3]), (gint64) (atof(argv[4]) * 1e9));
    seconds = (double) (now_ns() - start) / 1e9;
    printf("%.6f %" G_GUINT32_FORMAT " %" G_GUINT32_FORMAT "\n", seconds, sent, ask(fd, mark.run));
    return EXIT_SUCCESS;
}

int main(int argc, char **argv)
{
    if (argc == 4 && g_str_equal(argv[1], "sink"))
        sink(argv[2], argv[3]);
    if (argc == 7 && g_str_equal(argv[1], "send"))
        return send_run(argv + 2);
    fprintf(stderr, "usage: udp-flood sink ADDRESS PORT\n"
                    "       udp-flood send ADDRESS PORT SIZE RATE SECONDS\n");
    return 2;
}
