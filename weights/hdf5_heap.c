/* Format: HDF5 File Format Specification 3.0, sections II.A and III.E. */
#include "hdf5_heap.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PIECE = 1 << 20, HEAD = 16, MAX_HEAP = 1 << 22 };

static uint64_t le64(const unsigned char *p)
{
    uint64_t v = 0;
    int i;

    for (i = 7; i >= 0; i--) v = v << 8 | p[i];
    return v;
}

/* The number of bytes read, less than n only at the end of the file; -1 on an error. */
static ssize_t read_at(int fd, void *buf, size_t n, off_t at)
{
    size_t got = 0;
    ssize_t k;

    while (got < n && (k = pread(fd, (char *)buf + got, n - got, at + (off_t)got)) != 0) {
        if (k < 0 && errno == EINTR) continue;
        if (k < 0) return -1;
        got += (size_t)k;
    }
    return (ssize_t)got;
}

/* 1 where the objects of the collection of n bytes follow each other within it. */
static int walk(const unsigned char *p, size_t n)
{
    size_t at = HEAD;

    while (n - at >= HEAD) { /* a shorter rest is free space without a header */
        unsigned index = p[at] | (unsigned)p[at + 1] << 8;
        uint64_t size = le64(p + at + 8), need;

        if (size > n) return 0;
        need = index ? HEAD + ((size + 7) & ~(uint64_t)7) : size; /* 0 is the free space */
        if (need < HEAD || need % 8 || need > n - at) return 0;
        at += need;
    }
    return 1;
}

/* 1 where no heap begins at offset `at`, or a sound one. */
static int heap_is_sound(int fd, off_t at)
{
    unsigned char head[HEAD], *p;
    uint64_t size;
    int ok;

    if (read_at(fd, head, HEAD, at) != HEAD) return 1;
    if (head[4] != 1) return 1; /* HDF5 refuses any other version */
    size = le64(head + 8);
    if (size < 4096 || size > MAX_HEAP || size % 8 || !(p = malloc((size_t)size))) return 0;
    ok = read_at(fd, p, (size_t)size, at) == (ssize_t)size && walk(p, (size_t)size);
    free(p);
    return ok;
}

/* Superblocks 0 and 1 keep the sizes of addresses and lengths at 13 and 14, later ones at 9. */
static int sizes_are_8(const unsigned char *p, size_t n)
{
    return n >= 16 && (p[8] < 2 ? p[13] == 8 && p[14] == 8 : p[9] == 8 && p[10] == 8);
}

lp_status lp_hdf5_heap_check(const char *path, lp_err *err)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    unsigned char *buf = malloc(PIECE), *p;
    off_t at = 0;
    ssize_t n = 0;
    lp_status st = LP_OK;

    if (fd < 0 || !buf) {
        st = fd < 0 ? lp_fail(err, LP_EIO, "%s: cannot open the model: %s", path, strerror(errno))
                    : lp_fail_mem(err, path, PIECE);
        goto done;
    }
    for (; (n = read_at(fd, buf, PIECE, at)) > 3; at += n - 3) { /* pieces overlap by 3 */
        if (at == 0 && !sizes_are_8(buf, (size_t)n)) {
            st = lp_fail(err, LP_EFORMAT, "%s: not a lipopose model: an unusual HDF5 file", path);
            goto done;
        }
        for (p = buf; (p = memmem(p, (size_t)(buf + n - p), "GCOL", 4)); p += 4)
            if (!heap_is_sound(fd, at + (p - buf))) {
                st = lp_fail(err, LP_EFORMAT, "%s: damaged: HDF5 heap at byte %lld", path,
                             (long long)(at + (p - buf)));
                goto done;
            }
        if (n < PIECE) break;
    }
    if (n < 0) st = lp_fail(err, LP_EIO, "%s: cannot read: %s", path, strerror(errno));
done:
    free(buf);
    if (fd >= 0) close(fd);
    return st;
}
