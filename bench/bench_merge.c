/* bench_merge - the merge of many diameters, step by step: 27 of them, 20:150:5, of a micrograph of
 * 4096 x 4096 pixels with 10,000 particles.
 *
 *   bench_merge [side [particles]]
 *
 * Particles of 18 to 60 px lie on a jittered grid, some touching. Each diameter finds those that
 * fit it, with outlines of its own, and takes some large ones apart. Prints per step the median
 * wall time of five rounds and, in brackets, processor time: on a busy machine look at the latter,
 * over the number of threads. */
#include <math.h>
#include <omp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/layers.h"
#include "host/lipopose.h"
#include "host/read_run.h"
#include "host/results.h"
#include "host/rng.h"

#define N_DIAMETERS 27
#define ROUNDS 5

typedef struct {
    double y, x, d;
} particle;

static double processor(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)(u.ru_utime.tv_sec + u.ru_stime.tv_sec) +
           1e-6 * (double)(u.ru_utime.tv_usec + u.ru_stime.tv_usec);
}

static double peak_mib(void)
{
    struct rusage u;

    getrusage(RUSAGE_SELF, &u);
    return (double)u.ru_maxrss / 1024;
}

/* An ellipse in two halves where cut. */
static void draw(uint32_t *lb, int side, const particle *p, double d, double stretch, int cut,
                 uint32_t first)
{
    double ry = d / 2 * stretch, rx = d / 2 / stretch;
    int y0 = (int)(p->y - ry), y1 = (int)(p->y + ry) + 1, y, x;

    for (y = y0 < 0 ? 0 : y0; y <= y1 && y < side; y++) {
        double v = (y - p->y) / ry, half = v * v < 1 ? rx * sqrt(1 - v * v) : -1;
        int x0 = (int)ceil(p->x - half), x1 = (int)floor(p->x + half);

        for (x = x0 < 0 ? 0 : x0; x <= x1 && x < side; x++)
            lb[(size_t)y * side + x] = first + (cut && y > p->y);
    }
}

/* What one diameter finds; returns the highest label. */
static uint32_t see(uint32_t *lb, int side, const particle *p, int n, double diameter, int layer)
{
    uint32_t top = 0;
    lp_rng r;
    int i;

    memset(lb, 0, (size_t)side * side * sizeof *lb);
    lp_rng_init(&r, 7, (uint64_t)layer + 1, 0);
    for (i = 0; i < n; i++) {
        double fit = log(p[i].d / diameter), seen = lp_rng_uniform(&r), a = lp_rng_uniform(&r);
        double b = lp_rng_uniform(&r);
        int cut = fit > 0.7 && b < 0.5;

        if (seen > exp(-fit * fit / (2 * 0.7 * 0.7))) continue;
        draw(lb, side, &p[i], p[i].d * (0.95 + 0.1 * a), 0.95 + 0.1 * b, cut, top + 1);
        top += 1 + cut;
    }
    return top;
}

static int by_double(const void *a, const void *b)
{
    double x = *(const double *)a, y = *(const double *)b;

    return (x > y) - (x < y);
}

typedef struct {
    double wall[ROUNDS], cpu[ROUNDS], wall0, cpu0;
    int n;
} watch;

static void start(watch *w)
{
    w->cpu0 = processor();
    w->wall0 = omp_get_wtime();
}

static void stop(watch *w)
{
    w->wall[w->n] = omp_get_wtime() - w->wall0;
    w->cpu[w->n++] = processor() - w->cpu0;
}

static void show(const char *what, watch *w, const char *more)
{
    qsort(w->wall, (size_t)w->n, sizeof *w->wall, by_double);
    qsort(w->cpu, (size_t)w->n, sizeof *w->cpu, by_double);
    printf("  %-34s %8.1f ms (%.1f)%s\n", what, w->wall[w->n / 2] * 1e3, w->cpu[w->n / 2] * 1e3,
           more);
    fflush(stdout);
    w->n = 0;
}

static lp_layers *make(int side, int n, uint64_t *n_masks, uint64_t *n_runs)
{
    particle *p = malloc((size_t)n * sizeof *p);
    uint32_t *lb = malloc((size_t)side * side * sizeof *lb);
    float *prob = calloc((size_t)side * side, sizeof *prob);
    int across = (int)ceil(sqrt(n)), i;
    double cell = (double)side / across;
    lp_layers *s = NULL;
    watch w = {0};
    lp_rng r;
    lp_err err;

    if (!p || !lb || !prob || lp_layers_new(side, side, &s, &err)) goto done;
    lp_rng_init(&r, 7, 0, 0);
    for (i = 0; i < n; i++) {
        p[i].y = (i / across + 0.5 + 0.3 * (lp_rng_uniform(&r) - 0.5)) * cell;
        p[i].x = (i % across + 0.5 + 0.3 * (lp_rng_uniform(&r) - 0.5)) * cell;
        p[i].d = cell / 41 * 18 * pow(60.0 / 18, lp_rng_uniform(&r) * lp_rng_uniform(&r));
    }
    for (i = 0; i < N_DIAMETERS; i++) {
        double d = 20 + 5 * i;
        uint32_t top = see(lb, side, p, n, d, i);

        if (w.n < ROUNDS) start(&w);
        if (lp_layers_add(s, d, lb, top, NULL, prob, &err)) {
            fprintf(stderr, "bench_merge: %s\n", err.msg);
            lp_layers_free(&s);
            goto done;
        }
        if (w.n < ROUNDS) stop(&w);
        *n_masks += top;
    }
    for (i = 0; i < s->n; i++) *n_runs += s->layer[i].masks.first[s->layer[i].masks.n];
    show("label image to runs, one diameter", &w, "");
done:
    free(p);
    free(lb);
    free(prob);
    return s;
}

/* Merges by one method; the last result stays in *m. */
static int merges(const lp_layers *s, lp_merge_method method, const char *name, lp_merged *m)
{
    lp_merge_options o = lp_merge_defaults();
    char more[64];
    watch w = {0};
    lp_err err;
    int i;

    o.method = method;
    for (i = 0; i < ROUNDS; i++) {
        lp_merged_free(m);
        start(&w);
        if (lp_merge(s, &o, m, &err)) {
            fprintf(stderr, "bench_merge: %s\n", err.msg);
            return 0;
        }
        stop(&w);
    }
    snprintf(more, sizeof more, ", %u particles", (unsigned)m->n);
    show(name, &w, more);
    return 1;
}

/* The files of a merge, as segment and merge write them. */
static int writes(const char *what, const char *base, const lp_layers *layers, lp_merged *m,
                  const lp_image *im, lp_run_options o)
{
    lp_result seg = {.masks = m->masks, .n = m->n, .Ly = m->Ly, .Lx = m->Lx, .diameter = NAN};
    watch w = {0};
    int i;

    for (i = 0; i < ROUNDS; i++) {
        lp_results_merged many = {.layers = layers, .merged = m};
        lp_results res = {0};
        lp_err err;

        start(&w);
        if (lp_results_write(base, "none", 0, im, &seg, NULL, &many, 0, &o, &res, &err)) {
            fprintf(stderr, "bench_merge: %s\n", err.msg);
            return 0;
        }
        stop(&w);
        lp_results_free(&res);
    }
    show(what, &w, "");
    return 1;
}

static int files(const lp_layers *s, lp_merged *m, const char *dir)
{
    lp_image im = {0}, none = {0};
    char base[256], path[280], more[64];
    struct stat sb = {0};
    watch w = {0};
    lp_err err;
    int i;

    snprintf(base, sizeof base, "%s/x", dir);
    snprintf(path, sizeof path, "%s_lipopose.h5", base);
    if (lp_image_new(&im, 1, s->Ly, s->Lx, &err)) return 0;
    for (i = 0; i < s->Ly * s->Lx; i++) im.data[i] = (float)(i * 2654435761u >> 20);
    if (!writes("write the saved run", base, s, m, &none, (lp_run_options){0})) return 0;
    for (i = 0; i < ROUNDS; i++) {
        lp_saved_run r = {0};

        start(&w);
        if (lp_read_run(path, &r, &err)) {
            fprintf(stderr, "bench_merge: %s\n", err.msg);
            return 0;
        }
        stop(&w);
        lp_saved_run_free(&r);
    }
    stat(path, &sb);
    snprintf(more, sizeof more, ", %.1f MB", (double)sb.st_size / 1e6);
    show("read the saved run", &w, more);
    i = writes("write masks", base, NULL, m, &none, (lp_run_options){.save_tif = 1}) &&
        writes("write masks, table", base, NULL, m, &im,
               (lp_run_options){.save_tif = 1, .save_csv = 1}) &&
        writes("write masks, table, picture", base, NULL, m, &im,
               (lp_run_options){.save_tif = 1, .save_csv = 1, .save_overlay = 1});
    lp_image_free(&im);
    return i;
}

int main(int argc, char **argv)
{
    static const char *const ending[] = {"_lipopose.h5", "_cp_masks.tif", "_particles.csv",
                                         "_overlay.png"};
    int side = argc > 1 ? atoi(argv[1]) : 4096, n = argc > 2 ? atoi(argv[2]) : 10000, ok, i;
    const char *tmp = getenv("TMPDIR");
    uint64_t n_masks = 0, n_runs = 0;
    char dir[200], path[300];
    lp_layers *s;
    lp_merged m = {0};

    if (side < 100 || side > 32768 || n < 1 || n > 1000000) {
        fprintf(stderr, "usage: bench_merge [side [particles]]\n");
        return 2;
    }
    snprintf(dir, sizeof dir, "%.150s/lipopose-bench-XXXXXX", tmp && *tmp ? tmp : "/tmp");
    if (!mkdtemp(dir)) {
        fprintf(stderr, "bench_merge: cannot make a folder in %s\n", dir);
        return 1;
    }
    printf("%d diameters, %d x %d px, %d particles, %d threads\n", N_DIAMETERS, side, side, n,
           omp_get_max_threads());
    s = make(side, n, &n_masks, &n_runs);
    if (s) printf("  %.0f masks, %.2f million runs\n", (double)n_masks, (double)n_runs / 1e6);
    ok = s && merges(s, LP_MERGE_AFFINITY, "affinity", &m) &&
         merges(s, LP_MERGE_VOTES, "votes", &m) && merges(s, LP_MERGE_SCALE, "scale", &m);
    if (ok) printf("  peak memory up to here %.0f MiB\n", peak_mib());
    ok = ok && files(s, &m, dir);
    lp_merged_free(&m);
    lp_layers_free(&s);
    for (i = 0; i < 4; i++) {
        snprintf(path, sizeof path, "%s/x%s", dir, ending[i]);
        unlink(path);
    }
    rmdir(dir);
    return !ok;
}
