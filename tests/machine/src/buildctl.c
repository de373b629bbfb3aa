/*
 * buildctl, as far as a driver uses it, over dockerd, which offers BuildKit's gRPC on its own socket after an
 * HTTP upgrade.
 *
 *   buildctl [--addr unix://SOCKET] dial-stdio      joins standard input and output to the daemon
 *   buildctl [--addr unix://SOCKET] debug workers   succeeds when the daemon answers
 *   buildctl listen unix://SOCKET [GROUP]           joins each connection to SOCKET to the daemon, for buildkitd's --addr
 *   buildctl --version
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/utsname.h>
#include <unistd.h>

#define VERSION_FILE "/usr/local/share/buildkit/version"
#define DEFAULT_SOCKET "/run/buildkit/buildkitd.sock"

static int dial(const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(path) >= sizeof address.sun_path) {
        fprintf(stderr, "buildctl: the socket's path is too long: %s\n", path);
        exit(1);
    }
    strcpy(address.sun_path, path);
    int s = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (s < 0 || connect(s, (struct sockaddr *)&address, sizeof address)) {
        fprintf(stderr, "buildctl: dial unix %s: connect: %s\n", path, strerror(errno));
        exit(1);
    }
    return s;
}

/* Sends `request`; the answer's head, without the bytes after it, goes to `head`. */
static void ask(int s, const char *request, char *head, size_t size) {
    if (write(s, request, strlen(request)) != (ssize_t)strlen(request)) {
        fprintf(stderr, "buildctl: the daemon does not take the request: %s\n", strerror(errno));
        exit(1);
    }
    size_t n = 0;
    do {
        /* One byte at a time: the byte after the head belongs to the caller of this program. */
        if (n + 1 == size || read(s, head + n, 1) != 1) {
            fprintf(stderr, "buildctl: the daemon closed the connection without an answer\n");
            exit(1);
        }
        head[++n] = 0;
    } while (n < 4 || memcmp(head + n - 4, "\r\n\r\n", 4));
}

static void expect(const char *head, const char *status) {
    if (!strncmp(head, "HTTP/1.", 7) && !strncmp(head + 9, status, 3)) return;
    fprintf(stderr, "buildctl: the daemon answers %.*s\n", (int)strcspn(head, "\r"), head);
    exit(1);
}

/* One way of the joined streams. */
struct way {
    int from, to;
    bool ended; /* `from` has no more bytes */
    size_t start, end;
    char bytes[1 << 16];
};

/* Moves what can be moved now; false once nothing more will come through. */
static bool move(struct way *way) {
    if (way->start == way->end && !way->ended) {
        ssize_t n = read(way->from, way->bytes, sizeof way->bytes);
        if (n > 0) {
            way->start = 0;
            way->end = n;
        } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
            way->ended = true;
        }
    }
    if (way->start < way->end) {
        ssize_t n = write(way->to, way->bytes + way->start, way->end - way->start);
        if (n > 0) {
            way->start += n;
        } else if (errno != EAGAIN && errno != EINTR) {
            way->start = way->end = 0;
            way->ended = true;
        }
    }
    return !(way->ended && way->start == way->end);
}

static void join(int in, int out, int s) {
    static struct way up, down;
    up.from = in;
    down.to = out;
    up.to = down.from = s;
    int all[] = {in, out, s};
    for (int i = 0; i < 3; i++) fcntl(all[i], F_SETFL, fcntl(all[i], F_GETFL) | O_NONBLOCK);
    bool sending = true;
    for (;;) {
        bool up_full = up.start < up.end, down_full = down.start < down.end;
        struct pollfd p[3] = {
            {.fd = sending && !up_full ? in : -1, .events = POLLIN},
            {.fd = s, .events = (down_full ? 0 : POLLIN) | (up_full ? POLLOUT : 0)},
            {.fd = down_full ? out : -1, .events = POLLOUT},
        };
        /* A socket with nothing to wait for would wake poll for ever once the daemon has hung up. */
        if (!p[1].events) p[1].fd = -1;
        if (poll(p, 3, -1) < 0 && errno != EINTR) exit(1);
        if (sending && !move(&up)) {
            sending = false;
            shutdown(s, SHUT_WR);
        }
        if (!move(&down)) return;
    }
}

/* Connects to the daemon and has the connection upgraded to BuildKit's gRPC. */
static int upgraded(const char *path) {
    char head[4096];
    int s = dial(path);
    ask(s,
        "POST /grpc HTTP/1.1\r\nHost: buildkit\r\nConnection: Upgrade\r\nUpgrade: h2c\r\nContent-Length: 0\r\n\r\n",
        head, sizeof head);
    expect(head, "101");
    return s;
}

/* Joins each connection to a socket to the daemon, in a process of its own. */
static int serve(const char *socket_path, const char *group, const char *path) {
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    if (strlen(socket_path) >= sizeof address.sun_path) {
        fprintf(stderr, "buildctl: the socket's path is too long: %s\n", socket_path);
        return 1;
    }
    strcpy(address.sun_path, socket_path);
    unlink(socket_path);
    int listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    umask(0117);
    if (listener < 0 || bind(listener, (struct sockaddr *)&address, sizeof address) || listen(listener, 64) ||
        chown(socket_path, 0, group ? atoi(group) : 0)) {
        fprintf(stderr, "buildctl: listen unix %s: %s\n", socket_path, strerror(errno));
        return 1;
    }
    /* BuildKit has no such process: whoever looks for a client must not find one in it. */
    prctl(PR_SET_NAME, "buildkitd-listen");
    signal(SIGCHLD, SIG_IGN);
    for (;;) {
        int client = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
        if (client < 0) continue;
        if (!fork()) {
            close(listener);
            join(client, client, upgraded(path));
            _exit(0);
        }
        close(client);
    }
}

int main(int count, char **arguments) {
    (void)count;
    signal(SIGPIPE, SIG_IGN); /* a peer that hangs up is an end like any other */
    const char *path = DEFAULT_SOCKET;
    char **words = arguments + 1;
    for (; *words && **words == '-'; words++) {
        if (!strcmp(*words, "--version") || !strcmp(*words, "-v")) {
            char version[256] = "github.com/moby/buildkit\n";
            FILE *file = fopen(VERSION_FILE, "re");
            if (file && !fgets(version, sizeof version, file)) return 1;
            printf("buildctl %s", version);
            return 0;
        }
        if (!strncmp(*words, "--addr=unix://", 14)) path = *words + 14;
        if (!strcmp(*words, "--addr") && words[1] && !strncmp(*++words, "unix://", 7)) path = *words + 7;
    }
    const char *command = *words ? words[0] : "", *second = *words && words[1] ? words[1] : "";
    char head[4096];
    if (!strcmp(command, "dial-stdio")) {
        join(STDIN_FILENO, STDOUT_FILENO, upgraded(path));
        return 0;
    }
    if (!strcmp(command, "listen") && !strncmp(second, "unix://", 7)) return serve(second + 7, words[2], path);
    if (!strcmp(command, "debug") && !strcmp(second, "workers")) {
        ask(dial(path), "GET /_ping HTTP/1.1\r\nHost: buildkit\r\nConnection: close\r\n\r\n", head, sizeof head);
        expect(head, "200");
        struct utsname machine;
        uname(&machine);
        const char *architecture = !strcmp(machine.machine, "x86_64")    ? "amd64"
                                   : !strcmp(machine.machine, "aarch64") ? "arm64"
                                                                         : machine.machine;
        printf("ID\tPLATFORMS\ndefault\tlinux/%s\n", architecture);
        return 0;
    }
    fprintf(stderr, "buildctl: no such command here: %s %s (known: dial-stdio, debug workers, listen)\n", command, second);
    return 1;
}
