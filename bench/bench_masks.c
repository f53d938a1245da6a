/* bench_masks - everything after the net, on network output from a file.
 *
 *     bench_masks IN.raw Ly Lx [--niter N] [--rounds N] [--compat] [--out MASKS.raw]
 *
 * IN.raw: float32 [3][Ly][Lx], flows y, x and cellprob; MASKS.raw: uint32 [Ly][Lx]. Prints one
 * JSON line: median and fastest seconds of lp_masks_compute, reading and writing left out, and
 * the stages of all rounds together. */
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../host/masks.h"

static const char *const stage[LP_MASKS_NSTAGES] = {"follow", "seeds",  "label", "diffuse",
                                                    "qc",     "resize", "fill"};

static int compare(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return x < y ? -1 : x > y;
}

static int write_masks(const char *path, const lp_labels *m)
{
    size_t n = (size_t)m->Ly * m->Lx;
    FILE *f = fopen(path, "wb");
    int ok = f && fwrite(m->data, sizeof *m->data, n, f) == n;

    if (f && fclose(f)) ok = 0;
    if (!ok) fprintf(stderr, "bench_masks: %s: cannot be written\n", path);
    return ok;
}

static int run(const float *net, int Ly, int Lx, const lp_masks_options *o, int rounds,
               const char *out)
{
    double seconds[101];
    lp_labels masks = {0};
    uint32_t n = 0;
    lp_err err;
    int r, k, ok = 1;

    for (r = 0; r < rounds; r++) {
        double t = omp_get_wtime();

        lp_labels_free(&masks);
        if (lp_masks_compute(net, net + (size_t)2 * Ly * Lx, Ly, Lx, Ly, Lx, o, &masks, NULL, &n,
                             &err)) {
            fprintf(stderr, "bench_masks: %s\n", err.msg);
            return 0;
        }
        seconds[r] = omp_get_wtime() - t;
    }
    qsort(seconds, (size_t)rounds, sizeof *seconds, compare);
    printf("{\"seconds\": %.6f, \"fastest\": %.6f, \"masks\": %u, \"stages\": {",
           seconds[rounds / 2], seconds[0], n);
    for (k = 0; k < LP_MASKS_NSTAGES; k++)
        printf("%s\"%s\": %.6f", k ? ", " : "", stage[k], o->seconds[k] / rounds);
    printf("}}\n");
    if (out) ok = write_masks(out, &masks);
    lp_labels_free(&masks);
    return ok;
}

int main(int argc, char **argv)
{
    double seconds[LP_MASKS_NSTAGES] = {0};
    lp_masks_options o = lp_masks_defaults();
    const char *out = NULL;
    int Ly = argc > 3 ? atoi(argv[2]) : 0, Lx = argc > 3 ? atoi(argv[3]) : 0, rounds = 1, i, ok = 0;
    size_t n = (size_t)3 * (size_t)(Ly > 0 ? Ly : 0) * (size_t)(Lx > 0 ? Lx : 0);
    float *net = NULL;
    FILE *f = NULL;

    for (i = 4; i < argc; i++) {
        if (!strcmp(argv[i], "--compat"))
            o.compat_cellpose3 = 1;
        else if (!strcmp(argv[i], "--niter") && i + 1 < argc)
            o.niter = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--rounds") && i + 1 < argc)
            rounds = atoi(argv[++i]);
        else if (!strcmp(argv[i], "--out") && i + 1 < argc)
            out = argv[++i];
        else
            break;
    }
    if (argc < 4 || i < argc || !n || rounds < 1 || rounds > 101) {
        fprintf(stderr, "usage: bench_masks IN.raw Ly Lx [--niter N] [--rounds N] [--compat] "
                        "[--out MASKS.raw]\n");
        return 2;
    }
    o.seconds = seconds;
    f = fopen(argv[1], "rb");
    net = malloc(n * sizeof *net);
    if (f && net && fread(net, sizeof *net, n, f) == n)
        ok = run(net, Ly, Lx, &o, rounds, out);
    else
        fprintf(stderr, "bench_masks: %s: cannot be read as 3 x %d x %d floats\n", argv[1], Ly, Lx);
    if (f) fclose(f);
    free(net);
    return ok ? 0 : 1;
}
