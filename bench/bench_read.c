/* bench_read - reading a 4096 x 4096 MRC against plain reading of the same file.
 *
 *     build/bench/bench_read [--dir FOLDER] [--rounds 5]
 *
 * Writes one file per mode into FOLDER ($TMPDIR, /tmp). Cold: the file is dropped from the page
 * cache before each reading (posix_fadvise), which only works where it lies on a disk; `disk` is
 * the faster of read() and O_DIRECT. Warm: from the page cache; `copy` is read() into one buffer.
 * Both in turns, medians; more than 0.8 of the disk's rate is the goal. */
#include <fcntl.h>
#include <omp.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "../host/read.h"

#define SIDE 4096
#define BLOCK ((size_t)1 << 20)
#define MAX_ROUNDS 99

enum { READ, DIRECT, LIPOPOSE, N_WAYS };

typedef struct {
    const char *dir;
    int rounds;
} args;

static double cpu_seconds(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

/* The bytes of the file, noise; for floats only such as are numbers near 1. Returns its size. */
static size_t make(const char *path, int mode, int bytes)
{
    int32_t head[256] = {SIDE, SIDE, 1, mode};
    size_t n = (size_t)SIDE * SIDE * (size_t)bytes, i;
    uint8_t *data = malloc(n);
    uint32_t s = 1;
    FILE *f = fopen(path, "wb");

    if (!data || !f) goto fail;
    memcpy(&head[52], "MAP ", 4);
    memcpy(&head[53], "\x44\x44\0\0", 4);
    for (i = 0; i < n; i++) {
        s = s * 1664525u + 1013904223u;
        data[i] = (uint8_t)(s >> 24);
        if (mode == 2 && i % 4 == 3) data[i] = 0x3f;
        if (mode == 12 && i % 2 == 1) data[i] &= 0x3f;
    }
    if (fwrite(head, sizeof head, 1, f) != 1 || fwrite(data, 1, n, f) != n || fflush(f) ||
        fsync(fileno(f)))
        goto fail;
    fclose(f);
    free(data);
    return n + sizeof head;
fail:
    if (f) fclose(f);
    free(data);
    return 0;
}

static void drop(const char *path)
{
    int fd = open(path, O_RDONLY);

    if (fd < 0) return;
    posix_fadvise(fd, 0, 0, POSIX_FADV_DONTNEED);
    close(fd);
}

/* Seconds; negative where it cannot be done. */
static double once(const char *path, int way, uint8_t *buf)
{
    double t = omp_get_wtime();
    lp_image im = {0};
    lp_err err;
    ssize_t n;
    int fd;

    if (way == LIPOPOSE) {
        if (lp_read_image(path, 0, &im, &err)) return -1;
        t = omp_get_wtime() - t;
        lp_image_free(&im);
        return t;
    }
    fd = open(path, O_RDONLY | (way == DIRECT ? O_DIRECT : 0));
    if (fd < 0) return -1;
    while ((n = read(fd, buf, BLOCK)) > 0) continue;
    close(fd);
    return n ? -1 : omp_get_wtime() - t;
}

/* Median seconds of each way, in turns; *cpu: the least processor time of ours. */
static void measure(const char *path, int cold, int rounds, uint8_t *buf, double *median,
                    double *cpu)
{
    double t[N_WAYS][MAX_ROUNDS], c[MAX_ROUNDS];
    int r, w;

    for (r = 0; r < rounds; r++)
        for (w = 0; w < N_WAYS; w++) {
            if (cold) drop(path);
            c[r] = cpu_seconds();
            t[w][r] = once(path, w, buf);
            c[r] = cpu_seconds() - c[r];
        }
    for (w = 0; w < N_WAYS; w++) {
        qsort(t[w], (size_t)rounds, sizeof(double), compare);
        median[w] = t[w][rounds / 2];
    }
    qsort(c, (size_t)rounds, sizeof *c, compare);
    *cpu = c[0];
}

static int one_mode(const args *a, int mode, int bytes, const char *name, uint8_t *buf)
{
    double cold[N_WAYS], warm[N_WAYS], cpu, cpu_warm, disk;
    char path[4096];
    size_t n;

    snprintf(path, sizeof path, "%s/lipopose-bench-%ld.mrc", a->dir, (long)getpid());
    n = make(path, mode, bytes);
    if (!n) {
        unlink(path);
        fprintf(stderr, "%s: cannot write; give another --dir\n", path);
        return 1;
    }
    measure(path, 1, a->rounds, buf, cold, &cpu);
    once(path, READ, buf);
    measure(path, 0, a->rounds, buf, warm, &cpu_warm);
    unlink(path);
    disk = cold[DIRECT] > 0 && cold[DIRECT] < cold[READ] ? cold[DIRECT] : cold[READ];
    printf("mode %2d %-7s %3.0f MB  cold: disk %5.0f MB/s, lipopose %5.0f MB/s = %.2f of it "
           "(processor %.0f ms)  warm: copy %5.0f MB/s, lipopose %5.0f MB/s (processor %.0f ms)\n",
           mode, name, (double)n / 1e6, (double)n / 1e6 / disk, (double)n / 1e6 / cold[LIPOPOSE],
           disk / cold[LIPOPOSE], cpu * 1e3, (double)n / 1e6 / warm[READ],
           (double)n / 1e6 / warm[LIPOPOSE], cpu_warm * 1e3);
    return 0;
}

int main(int argc, char **argv)
{
    const char *tmp = getenv("TMPDIR");
    args a = {tmp && *tmp ? tmp : "/tmp", 5};
    uint8_t *buf = aligned_alloc(4096, BLOCK);
    int i, bad = !buf;

    for (i = 1; i + 1 < argc; i += 2) {
        if (!strcmp(argv[i], "--dir"))
            a.dir = argv[i + 1];
        else if (!strcmp(argv[i], "--rounds"))
            a.rounds = atoi(argv[i + 1]);
        else
            break;
    }
    if (i < argc || a.rounds < 1 || a.rounds > MAX_ROUNDS) {
        fprintf(stderr, "usage: bench_read [--dir FOLDER] [--rounds N]\n");
        free(buf);
        return 2;
    }
    bad = bad || one_mode(&a, 2, 4, "float32", buf) || one_mode(&a, 1, 2, "int16", buf) ||
          one_mode(&a, 6, 2, "uint16", buf) || one_mode(&a, 0, 1, "int8", buf) ||
          one_mode(&a, 12, 2, "float16", buf);
    free(buf);
    return bad;
}
