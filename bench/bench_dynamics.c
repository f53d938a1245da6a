/* bench_dynamics - milliseconds of every step from network output to masks, on discs
 * whose flows are those that the masks should have.
 *
 *   bench_dynamics [small] [large] [one]     (default: all three) */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "host/masks.h"
#include "kernels/diffuse.h"

typedef struct {
    const char *name;
    int side, across, down; /* image side; discs per row and column */
    double diameter;
} scene;

static const scene scenes[] = {
    {"small", 4096, 100, 100, 25}, /* 10,000 discs */
    {"large", 2048, 5, 4, 350},    /* 20 discs */
    {"one", 2048, 1, 1, 1500},
};

static const char *const stage[LP_MASKS_NSTAGES] = {"follow", "seeds",  "label", "diffuse",
                                                    "qc",     "resize", "fill"};

/* flows [2][side][side], cellprob [side][side], both owned by the caller; 0 on failure. */
static int make(const scene *s, float **flows, float **cellprob)
{
    size_t n = (size_t)s->side * s->side, i;
    uint32_t nlab = (uint32_t)(s->across * s->down);
    uint32_t *labels = calloc(n, sizeof *labels);
    lp_label_info *info = malloc((nlab + (size_t)1) * sizeof *info);
    int nthreads = omp_get_max_threads(), y, x;
    void *scratch = NULL;

    *flows = malloc(2 * n * sizeof(float));
    *cellprob = malloc(n * sizeof(float));
    if (!labels || !info || !*flows || !*cellprob) goto done;
    for (y = 0; y < s->side; y++)
        for (x = 0; x < s->side; x++) {
            int gy = y * s->down / s->side, gx = x * s->across / s->side;
            double dy = y - (gy + 0.5) * s->side / s->down;
            double dx = x - (gx + 0.5) * s->side / s->across;

            if (4 * (dy * dy + dx * dx) <= s->diameter * s->diameter)
                labels[(size_t)y * s->side + x] = (uint32_t)(gy * s->across + gx + 1);
        }
    lp_relabel_info_ref(info, nlab, labels, s->side, s->side);
    scratch = malloc(lp_diffuse_scratch(info, nlab, nthreads));
    if (!scratch) goto done;
    lp_diffuse_cpu(*flows, labels, info, nlab, s->side, s->side, nthreads, scratch);
    for (i = 0; i < 2 * n; i++) (*flows)[i] *= 5;
    for (i = 0; i < n; i++) (*cellprob)[i] = labels[i] ? 3.0f : -3.0f;
done:
    free(labels);
    free(info);
    free(scratch);
    return scratch != NULL;
}

static int run(const scene *s)
{
    lp_masks_options o = lp_masks_defaults();
    float *flows, *cellprob;
    int rep, k, st = 1;

    if (!make(s, &flows, &cellprob)) goto done;
    o.max_size_fraction = 1;
    o.niter = (int)(200 * s->diameter / 30);
    printf("%s: %d x %d, %d discs of diameter %g, niter %d, %d threads\n", s->name, s->side,
           s->side, s->across * s->down, s->diameter, o.niter, omp_get_max_threads());
    for (rep = 0; rep < 3; rep++) {
        double seconds[LP_MASKS_NSTAGES] = {0}, t0 = omp_get_wtime();
        lp_labels masks;
        uint32_t n;
        lp_err err;

        o.seconds = seconds;
        if (lp_masks_compute(flows, cellprob, s->side, s->side, s->side, s->side, &o, &masks, NULL,
                             &n, &err)) {
            fprintf(stderr, "bench_dynamics: %s\n", err.msg);
            goto done;
        }
        printf("  total %.1f ms (%u masks):", (omp_get_wtime() - t0) * 1e3, n);
        for (k = 0; k < LP_MASKS_NSTAGES; k++) printf(" %s %.1f", stage[k], seconds[k] * 1e3);
        printf("\n");
        lp_labels_free(&masks);
    }
    st = 0;
done:
    free(flows);
    free(cellprob);
    return st;
}

int main(int argc, char **argv)
{
    size_t k;
    int i, st = 0;

    for (k = 0; k < sizeof scenes / sizeof scenes[0]; k++) {
        int wanted = argc < 2;

        for (i = 1; i < argc; i++) wanted |= !strcmp(argv[i], scenes[k].name);
        if (wanted) st |= run(scenes + k);
    }
    return st;
}
