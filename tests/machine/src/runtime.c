/*
 * An OCI runtime in front of runc, for machines where runc alone would fail. It takes out of the container's
 * configuration what cannot work there, then becomes runc; whatever it does not know it leaves to runc.
 *
 * - Capabilities that this machine does not hold: runc gives up on a container that asks for one of them, and every
 *   privileged container asks for all.
 * - With -DSHARE_NETWORK, the network that dockerd makes for a RUN step: the step then uses its parent's network, as
 *   a step of buildkitd does. A step that asked for no network at all keeps its empty one.
 *
 * A program and not a script, because every start of a container and every exec waits for it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef RUNC
#error "compile with -DRUNC='\"/path/to/runc\"'"
#endif

#ifdef SHARE_NETWORK
static const bool share_network = true;
#else
static const bool share_network = false;
#endif

/* In the order of their numbers in linux/capability.h. */
static const char *const capabilities[] = {
    "CHOWN", "DAC_OVERRIDE", "DAC_READ_SEARCH", "FOWNER", "FSETID", "KILL", "SETGID", "SETUID", "SETPCAP",
    "LINUX_IMMUTABLE", "NET_BIND_SERVICE", "NET_BROADCAST", "NET_ADMIN", "NET_RAW", "IPC_LOCK", "IPC_OWNER",
    "SYS_MODULE", "SYS_RAWIO", "SYS_CHROOT", "SYS_PTRACE", "SYS_PACCT", "SYS_ADMIN", "SYS_BOOT", "SYS_NICE",
    "SYS_RESOURCE", "SYS_TIME", "SYS_TTY_CONFIG", "MKNOD", "LEASE", "AUDIT_WRITE", "AUDIT_CONTROL", "SETFCAP",
    "MAC_OVERRIDE", "MAC_ADMIN", "SYSLOG", "WAKE_ALARM", "BLOCK_SUSPEND", "AUDIT_READ", "PERFMON", "BPF",
    "CHECKPOINT_RESTORE",
};

static void fail(const char *what, const char *where) {
    fprintf(stderr, "runtime: cannot %s %s: %s\n", what, where, strerror(errno));
    exit(1);
}

/* Is `value`, a JSON string with its quotes, the name of a capability that this process may never have? */
static bool missing_capability(const char *value, size_t length) {
    for (unsigned i = 0; i < sizeof capabilities / sizeof *capabilities; i++) {
        char name[64];
        int n = snprintf(name, sizeof name, "\"CAP_%s\"", capabilities[i]);
        if ((size_t)n == length && !memcmp(name, value, length)) return prctl(PR_CAPBSET_READ, i) == 0;
    }
    return false;
}

static bool contains(const char *text, size_t length, const char *part) {
    return memmem(text, length, part, strlen(part)) != NULL;
}

static bool starts_with(const char *text, const char *start) { return !strncmp(text, start, strlen(start)); }

/* A JSON document being copied; white space between tokens is not copied. */
struct copy {
    const char *in;
    char *out;
    bool network_by_hook; /* dockerd gives the step its network by a hook */
    bool changed;
};

static const char network_hook[] = "\"libnetwork-setkey\"";

/* Is the value at `path` ("process.capabilities.bounding[]", say) to be left out? */
static bool unwanted(struct copy *copy, const char *path, const char *value, size_t length) {
    if (starts_with(path, "process.capabilities.") || starts_with(path, "capabilities."))
        return missing_capability(value, length);
    if (!copy->network_by_hook) return false;
    if (starts_with(path, "hooks.")) {
        const char *list_end = strstr(path, "[]");
        return list_end && !list_end[2] && contains(value, length, network_hook);
    }
    return !strcmp(path, "linux.namespaces[]") && contains(value, length, "\"type\":\"network\"");
}

static void malformed(void) {
    fprintf(stderr, "runtime: the container's configuration is not the JSON that an engine writes\n");
    exit(1);
}

static void skip_space(struct copy *copy) { copy->in += strspn(copy->in, " \t\r\n"); }

static void copy_byte(struct copy *copy) {
    if (!*copy->in) malformed();
    *copy->out++ = *copy->in++;
}

static void copy_string(struct copy *copy) {
    if (*copy->in != '"') malformed();
    do {
        if (*copy->in == '\\') copy_byte(copy);
        copy_byte(copy);
    } while (*copy->in != '"');
    copy_byte(copy);
}

static void copy_value(struct copy *copy, const char *path) {
    skip_space(copy);
    char open = *copy->in;
    if (open == '"') {
        copy_string(copy);
        return;
    }
    if (open != '{' && open != '[') {
        size_t n = strcspn(copy->in, ",]} \t\r\n");
        memcpy(copy->out, copy->in, n);
        copy->out += n;
        copy->in += n;
        return;
    }
    copy_byte(copy);
    skip_space(copy);
    bool first = true;
    while (*copy->in != (open == '{' ? '}' : ']')) {
        char *before = copy->out, inner[PATH_MAX];
        if (!first) *copy->out++ = ',';
        if (open == '{') {
            char *key = copy->out;
            copy_string(copy);
            snprintf(inner, sizeof inner, "%s%s%.*s", path, *path ? "." : "", (int)(copy->out - key - 2), key + 1);
            skip_space(copy);
            copy_byte(copy); /* the colon */
        } else {
            snprintf(inner, sizeof inner, "%s[]", path);
        }
        char *value = copy->out;
        copy_value(copy, inner);
        if (unwanted(copy, inner, value, copy->out - value)) {
            copy->out = before;
            copy->changed = true;
        } else {
            first = false;
        }
        skip_space(copy);
        if (*copy->in == ',') copy->in++;
        skip_space(copy);
    }
    copy_byte(copy);
}

static void filter(const char *path) {
    int file = open(path, O_RDONLY | O_CLOEXEC);
    struct stat status;
    if (file < 0 || fstat(file, &status)) fail("read", path);
    size_t size = status.st_size;
    /* A copy is never longer than what it is made of. */
    char *text = malloc(size + 1), *out = malloc(size + 1);
    if (!text || !out) fail("hold in memory", path);
    for (size_t have = 0; have < size;) {
        ssize_t n = read(file, text + have, size - have);
        if (n <= 0) fail("read", path);
        have += n;
    }
    text[size] = 0;
    close(file);

    struct copy copy = {.in = text, .out = out};
    copy.network_by_hook = share_network && contains(text, size, network_hook);
    copy_value(&copy, "");
    if (!copy.changed) return;

    char part[PATH_MAX];
    snprintf(part, sizeof part, "%s.part", path);
    file = open(part, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, status.st_mode & 07777);
    if (file < 0) fail("write", part);
    for (char *at = out; at < copy.out;) {
        ssize_t n = write(file, at, copy.out - at);
        if (n < 0) fail("write", part);
        at += n;
    }
    close(file);
    if (rename(part, path)) fail("replace", path);
}

/* The value of the flag that is called `flag` or `letter`, else null. */
static const char *option(char **arguments, const char *flag, const char *letter) {
    size_t n = strlen(flag);
    for (char **a = arguments + 1; *a; a++) {
        if ((!strcmp(*a, flag) || !strcmp(*a, letter)) && a[1]) return a[1];
        if (!strncmp(*a, flag, n) && (*a)[n] == '=') return *a + n + 1;
    }
    return NULL;
}

static bool has(char **arguments, const char *word) {
    for (char **a = arguments + 1; *a; a++)
        if (!strcmp(*a, word)) return true;
    return false;
}

int main(int count, char **arguments) {
    (void)count;
    if (has(arguments, "create") || has(arguments, "run")) {
        char path[PATH_MAX];
        const char *bundle = option(arguments, "--bundle", "-b");
        snprintf(path, sizeof path, "%s/config.json", bundle ? bundle : ".");
        filter(path);
    } else if (has(arguments, "exec")) {
        const char *process = option(arguments, "--process", "-p");
        if (process) filter(process);
    }
    arguments[0] = RUNC;
    execv(RUNC, arguments);
    fail("run", RUNC);
}
