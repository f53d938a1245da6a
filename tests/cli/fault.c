/* fault - a shared library, preloaded by fault.sh: the FAULT_AT-th call that changes a file fails
 * with FAULT_ERRNO, or (FAULT_HANG set) never returns; then the file FAULT_MARK is made. Calls on
 * standard output and error, pipes and terminals do not count; with FAULT_NAME only those that open
 * or make a file whose path has this in it. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

int rename(const char *from, const char *to);

static atomic_int calls;

/* 1 where this call is to fail; errno is set. path: of what it opens, or NULL. */
static int fails_on(int fd, const char *what, const char *path)
{
    const char *at = getenv("FAULT_AT"), *number = getenv("FAULT_ERRNO"),
               *mark = getenv("FAULT_MARK"), *name = getenv("FAULT_NAME");
    struct stat s;

    if (!at || (name && !(path && strstr(path, name)))) return 0;
    if (fd >= 0 && (fd <= 2 || fstat(fd, &s) || !(S_ISREG(s.st_mode) || S_ISDIR(s.st_mode))))
        return 0;
    if (atomic_fetch_add(&calls, 1) + 1 != atoi(at)) return 0;
    if (mark) {
        int m = (int)syscall(SYS_openat, AT_FDCWD, mark, O_CREAT | O_WRONLY, 0666);

        if (fd >= 0 && S_ISDIR(s.st_mode)) what = "folder";
        syscall(SYS_write, m, what, strlen(what));
        close(m);
    }
    while (getenv("FAULT_HANG")) pause();
    if (getenv("FAULT_KILL")) raise(SIGKILL);
    errno = number ? atoi(number) : EIO;
    return 1;
}

static int fails(int fd, const char *what)
{
    return fails_on(fd, what, NULL);
}

#define NEXT(name) ((__typeof__(&name))(size_t)dlsym(RTLD_NEXT, #name))

ssize_t write(int fd, const void *buf, size_t n)
{
    return fails(fd, "write") ? -1 : NEXT(write)(fd, buf, n);
}

ssize_t pwrite(int fd, const void *buf, size_t n, off_t at)
{
    return fails(fd, "pwrite") ? -1 : NEXT(pwrite)(fd, buf, n, at);
}

ssize_t pwrite64(int fd, const void *buf, size_t n, off64_t at)
{
    return fails(fd, "pwrite64") ? -1 : NEXT(pwrite64)(fd, buf, n, at);
}

int ftruncate(int fd, off_t n)
{
    return fails(fd, "ftruncate") ? -1 : NEXT(ftruncate)(fd, n);
}

int ftruncate64(int fd, off64_t n)
{
    return fails(fd, "ftruncate64") ? -1 : NEXT(ftruncate64)(fd, n);
}

int fsync(int fd)
{
    return fails(fd, "fsync") ? -1 : NEXT(fsync)(fd);
}

int rename(const char *from, const char *to)
{
    return fails(-1, "rename") ? -1 : NEXT(rename)(from, to);
}

int mkdir(const char *path, mode_t mode)
{
    return fails(-1, "mkdir") ? -1 : NEXT(mkdir)(path, mode);
}

int open(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list ap;

    va_start(ap, flags);
    if (flags & O_CREAT) mode = va_arg(ap, mode_t);
    va_end(ap);
    if ((flags & O_CREAT) && fails_on(-1, "open", path)) return -1;
    return NEXT(open)(path, flags, mode);
}

int open64(const char *path, int flags, ...)
{
    mode_t mode = 0;
    va_list ap;

    va_start(ap, flags);
    if (flags & O_CREAT) mode = va_arg(ap, mode_t);
    va_end(ap);
    if ((flags & O_CREAT) && fails_on(-1, "open64", path)) return -1;
    return NEXT(open64)(path, flags, mode);
}
