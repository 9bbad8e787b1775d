/* Counts the calls that change files below a folder, and makes one of them fail, fall short, or kill the process.

   Loaded by LD_PRELOAD and silent until `fault_arm` is called. What the kinds do at step n: 'k' kills the process before
   the call is made; 'f' says that the disk is full, from there on, to whatever needs room; 'e' answers EIO once;
   's' lets one write take half of its bytes; 'c' only counts. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>

static char below[PATH_MAX];
static size_t below_length;
static long at_step;
static char kind;
static atomic_long *steps;
static __thread int inside;

void fault_arm(const char *folder, long step, char what) {
    if (!steps) steps = mmap(NULL, sizeof *steps, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    atomic_store(steps, 0);
    snprintf(below, sizeof below, "%s", folder);
    below_length = strlen(below);
    at_step = step;
    kind = what;
}

long fault_steps(void) { return steps ? atomic_load(steps) : 0; }

enum { PASS, SHORT, FAIL };

static int ours(const char *path) { return strncmp(path, below, below_length) == 0; }

/* What is to become of a call: `needs_room` for those that a full disk refuses. Sets errno where it fails. */
static int judge(int is_ours, int needs_room, int is_write) {
    if (!kind || inside || !is_ours) return PASS;
    long step = atomic_fetch_add(steps, 1) + 1;
    if (kind == 'c' || step < at_step) return PASS;
    if (kind == 'f') {
        if (!needs_room) return PASS;
        errno = ENOSPC;
        return FAIL;
    }
    if (step != at_step) return PASS;
    if (kind == 'k') kill(getpid(), SIGKILL);
    if (kind == 's') return is_write ? SHORT : PASS;
    errno = EIO;
    return FAIL;
}

static int fd_ours(int descriptor) {
    char link[64], path[PATH_MAX];
    if (!kind || inside) return 0;
    inside = 1;
    snprintf(link, sizeof link, "/proc/self/fd/%d", descriptor);
    int kept = errno;
    ssize_t length = readlink(link, path, sizeof path - 1);
    errno = kept;
    inside = 0;
    if (length <= 0) return 0;
    path[length] = 0;
    return ours(path);
}

static int path_ours(const char *path) {
    char real[PATH_MAX];
    if (!kind || inside || !path) return 0;
    if (path[0] == '/') return ours(path);
    if (!getcwd(real, sizeof real - 1)) return 0;
    return ours(real);
}

#define REAL(result, name, ...) \
    static result (*real)(__VA_ARGS__); \
    if (!real) real = (result (*)(__VA_ARGS__))dlsym(RTLD_NEXT, #name)

#define WRITES(name, extra_type, extra, ...) \
    ssize_t name(int descriptor, const void *content, size_t count extra_type) { \
        REAL(ssize_t, name, int, const void *, size_t __VA_ARGS__); \
        switch (judge(fd_ours(descriptor), 1, 1)) { \
        case FAIL: return -1; \
        case SHORT: return real(descriptor, content, count > 1 ? count / 2 : count extra); \
        default: return real(descriptor, content, count extra); \
        } \
    }
#define COMMA ,
WRITES(write, , , )
WRITES(pwrite, COMMA off_t place, COMMA place, , off_t)
WRITES(pwrite64, COMMA off64_t place, COMMA place, , off64_t)

ssize_t writev(int descriptor, const struct iovec *parts, int count) {
    REAL(ssize_t, writev, int, const struct iovec *, int);
    switch (judge(fd_ours(descriptor), 1, 1)) {
    case FAIL: return -1;
    case SHORT: return real(descriptor, parts, count > 1 ? count / 2 : count);
    default: return real(descriptor, parts, count);
    }
}

ssize_t sendfile64(int to, int from, off64_t *place, size_t count) {
    REAL(ssize_t, sendfile64, int, int, off64_t *, size_t);
    switch (judge(fd_ours(to), 1, 1)) {
    case FAIL: return -1;
    case SHORT: return real(to, from, place, count > 1 ? count / 2 : count);
    default: return real(to, from, place, count);
    }
}

ssize_t sendfile(int to, int from, off_t *place, size_t count) {
    return sendfile64(to, from, (off64_t *)place, count);
}

#define ON_FD(name) \
    int name(int descriptor) { \
        REAL(int, name, int); \
        return judge(fd_ours(descriptor), 0, 0) == FAIL ? -1 : real(descriptor); \
    }
ON_FD(fsync)
ON_FD(fdatasync)

#define TRUNCATES(name, kind_of_size) \
    int name(int descriptor, kind_of_size size) { \
        REAL(int, name, int, kind_of_size); \
        return judge(fd_ours(descriptor), 0, 0) == FAIL ? -1 : real(descriptor, size); \
    }
TRUNCATES(ftruncate, off_t)
TRUNCATES(ftruncate64, off64_t)

int rename(const char *from, const char *to) {
    REAL(int, rename, const char *, const char *);
    return judge(path_ours(to) || path_ours(from), 1, 0) == FAIL ? -1 : real(from, to);
}

int mkdir(const char *path, mode_t mode) {
    REAL(int, mkdir, const char *, mode_t);
    return judge(path_ours(path), 1, 0) == FAIL ? -1 : real(path, mode);
}

int unlink(const char *path) {
    REAL(int, unlink, const char *);
    return judge(path_ours(path), 0, 0) == FAIL ? -1 : real(path);
}

int unlinkat(int folder, const char *path, int flags) {
    REAL(int, unlinkat, int, const char *, int);
    return judge(folder == AT_FDCWD ? path_ours(path) : fd_ours(folder), 0, 0) == FAIL ? -1 : real(folder, path, flags);
}

int rmdir(const char *path) {
    REAL(int, rmdir, const char *);
    return judge(path_ours(path), 0, 0) == FAIL ? -1 : real(path);
}

#define OPENS(name) \
    int name(const char *path, int flags, ...) { \
        REAL(int, name, const char *, int, ...); \
        mode_t mode = 0; \
        if (flags & (O_CREAT | O_TMPFILE)) { \
            va_list rest; \
            va_start(rest, flags); \
            mode = va_arg(rest, mode_t); \
            va_end(rest); \
            if (judge(path_ours(path), 1, 0) == FAIL) return -1; \
        } \
        return real(path, flags, mode); \
    }
OPENS(open)
OPENS(open64)
