/* Runs, votes, components and what is accepted of them, on the device against the plain versions.
 */
#include <omp.h>

#include "../lp_test.h"
#include "merge_random.h"
#include "simt_test.h"

#include "kernels/scan.h"
#include "kernels/votes.h"

static const int sizes[][2] = {{1, 1}, {1, 40}, {40, 1}, {7, 13}, {2, 4111}, {31, 67}, {225, 223}};
enum { N_SIZES = 7 };

/* Bytes of rubbish with a band behind them. */
enum { BAND = 64 };
static void *band_new(size_t bytes)
{
    char *p = malloc(bytes + BAND);

    assert_non_null(p);
    memset(p, 0xee, bytes + BAND);
    return p;
}

static void band_free(void *p, size_t bytes)
{
    int i;

    for (i = 0; i < BAND; i++) assert_int_equal(((unsigned char *)p)[bytes + i], 0xee);
    free(p);
}

/* The masks of all layers together. */
static lp_runs all_masks(const lp_layers *s)
{
    lp_runs r = {0};
    uint64_t runs = 0;
    uint32_t n = 0, l;
    int i;

    for (i = 0; i < s->n; i++) {
        n += s->layer[i].masks.n;
        runs += s->layer[i].masks.first[s->layer[i].masks.n];
    }
    r.first = malloc((n + (size_t)1) * sizeof *r.first);
    r.run = malloc((runs + 1) * sizeof *r.run);
    assert_true(r.first && r.run);
    for (i = 0, runs = 0; i < s->n; i++) {
        const lp_runs *m = &s->layer[i].masks;

        for (l = 0; l < m->n; l++) r.first[r.n++] = runs + m->first[l];
        memcpy(r.run + runs, m->run, m->first[m->n] * sizeof *r.run);
        runs += m->first[m->n];
    }
    r.first[r.n] = runs;
    return r;
}

/* lb is one of: nothing, one label everywhere, stripes of one pixel, a random scene. */
static uint32_t make_labels(uint32_t *lb, int kind, int Ly, int Lx)
{
    size_t n_px = (size_t)Ly * Lx, p;
    lp_rng r;
    int k;

    memset(lb, 0, n_px * sizeof *lb);
    lp_rng_init(&r, 3, (uint32_t)Ly, (uint32_t)Lx);
    for (p = 0; p < n_px && kind == 1; p++) lb[p] = 5;
    for (p = 0; p < n_px && kind == 2; p++) lb[p] = (uint32_t)(p % 3);
    for (k = 0; k < 300 && kind == 3; k++)
        random_disc(lb, Ly, Lx, lp_rng_range(&r, 0, Ly), lp_rng_range(&r, 0, Lx),
                    lp_rng_range(&r, 0.5, 12), (uint32_t)k + 1);
    return kind == 3 ? 303 : 5;
}

static void runs(void **state)
{
    int k, kind;

    (void)state;
    for (k = 0; k < N_SIZES; k++)
        for (kind = k < N_SIZES - 1 ? 0 : 3; kind < 4; kind++) {
            int Ly = sizes[k][0], Lx = sizes[k][1];
            size_t n_px = (size_t)Ly * Lx, p;
            uint32_t *lb = malloc(n_px * sizeof *lb), n = make_labels(lb, kind, Ly, Lx), n_runs;
            float *plane = malloc(n_px * sizeof *plane), mean[303], mean2[304];
            uint64_t first[304], next[304];
            lp_runs_box box[303], box2[303];
            lp_runs want = {n, first, NULL};
            lp_rng r;

            lp_rng_init(&r, 4, 0, 0);
            for (p = 0; p < n_px; p++) plane[p] = (float)lp_rng_normal(&r) * 1e4f;
            lp_runs_count_ref(first, lb, n, Ly, Lx);
            want.run = malloc((first[n] + 1) * sizeof *want.run);
            lp_runs_fill_ref(want.run, first, lb, n, Ly, Lx, next);
            lp_runs_box_ref(box, &want);
            lp_runs_mean_ref(mean, &want, plane, Lx);
            SIMT_SEEDS(s)
            {
                size_t counted = lp_runs_count_scratch_cuda(Ly, Lx), bytes, fill;
                void *d_counted = band_new(counted), *d_scratch;
                lp_runs got = {n, band_new((n + 1) * sizeof *got.first), NULL};
                double *sum;

                assert_int_equal(lp_runs_count_cuda(&n_runs, lb, Ly, Lx, d_counted, NULL), 0);
                assert_int_equal(n_runs, first[n]);
                bytes = n_runs * sizeof *got.run;
                fill = lp_runs_fill_scratch_cuda(n, n_runs);
                got.run = band_new(bytes);
                d_scratch = band_new(fill);
                assert_int_equal(lp_runs_fill_cuda(got.run, got.first, lb, n, n_runs, Ly, Lx,
                                                   d_counted, d_scratch, NULL),
                                 0);
                assert_memory_equal(got.first, first, (n + 1) * sizeof *first);
                assert_memory_equal(got.run, want.run, bytes);
                memset(box2, 0xee, sizeof box2);
                assert_int_equal(lp_runs_box_cuda(box2, &got, NULL), 0);
                assert_memory_equal(box2, box, n * sizeof *box);
                sum = band_new(n_runs * sizeof *sum);
                memset(mean2, 0xee, sizeof mean2);
                assert_int_equal(lp_runs_mean_cuda(mean2, &got, n_runs, plane, Lx, sum, NULL), 0);
                lp_same_floats(mean2, mean, n);
                band_free(sum, n_runs * sizeof *sum);
                band_free(got.run, bytes);
                band_free(got.first, (n + 1) * sizeof *first);
                band_free(d_scratch, fill);
                band_free(d_counted, counted);
            }
            free(want.run);
            free(plane);
            free(lb);
        }
}

typedef struct {
    uint16_t *v, *ax, *ay;
} planes;

static planes planes_new(int pairs, size_t px)
{
    planes p = {band_new(px * 2), pairs ? band_new(px * 2) : NULL, pairs ? band_new(px * 2) : NULL};

    return p;
}

static void planes_free(planes *p, size_t px)
{
    band_free(p->v, px * 2);
    if (p->ax) band_free(p->ax, px * 2);
    if (p->ay) band_free(p->ay, px * 2);
}

/* One level, against the plain versions; masks and seeds grow in both. */
static void one_level(const planes *p, int t, int min_size, int Ly, int Lx, uint32_t *masks,
                      lp_run *seed, uint32_t *n, uint32_t *masks2, lp_run *seed2)
{
    size_t scratch = lp_votes_runs_scratch_cuda(Ly, Lx), rows = ((size_t)Ly + 1) * 4, bytes, scan;
    uint32_t *first = malloc(rows), *first2 = band_new(rows), n_runs;
    uint32_t *root, *number, *area, *root2, *number2, *area2;
    void *counted = band_new(scratch), *d_scan;
    lp_run *run, *run2;

    lp_votes_runs_count_cpu(first, p->v, p->ax, t, Ly, Lx);
    assert_int_equal(lp_votes_runs_count_cuda(first2, p->v, p->ax, t, Ly, Lx, counted, NULL), 0);
    assert_memory_equal(first2, first, rows);
    n_runs = first[Ly];
    bytes = n_runs * sizeof *run;
    run = malloc(bytes + 1);
    run2 = band_new(bytes);
    lp_votes_runs_cpu(run, first, p->v, p->ax, t, Ly, Lx);
    assert_int_equal(lp_votes_runs_cuda(run2, p->v, p->ax, t, Ly, Lx, counted, NULL), 0);
    assert_memory_equal(run2, run, bytes);
    bytes = n_runs * sizeof *root;
    root = malloc(bytes + 1);
    root2 = band_new(bytes);
    lp_votes_roots_cpu(root, run, first, p->ay, t, Ly, Lx);
    assert_int_equal(lp_votes_roots_cuda(root2, run, first, p->ay, t, n_runs, Lx, NULL), 0);
    assert_memory_equal(root2, root, bytes);
    number = malloc(bytes + 4);
    area = malloc(bytes + 1);
    number2 = band_new(bytes + 4);
    area2 = band_new(bytes);
    scan = lp_scan_scratch_cuda(n_runs);
    d_scan = band_new(scan);
    lp_votes_keep_ref(number, area, run, root, first, n_runs, seed, *n, min_size);
    assert_int_equal(lp_votes_keep_cuda(number2, area2, run, root, first, n_runs, seed, *n,
                                        min_size, d_scan, NULL),
                     0);
    assert_memory_equal(number2, number, bytes + 4);
    lp_votes_paint_ref(masks, seed, number, run, root, n_runs, *n, Lx);
    assert_int_equal(lp_votes_paint_cuda(masks2, seed2, number, run, root, n_runs, *n, Lx, NULL),
                     0);
    *n += number[n_runs];
    assert_memory_equal(seed2, seed, *n * sizeof *seed);
    assert_memory_equal(masks2, masks, (size_t)Ly * Lx * sizeof *masks);
    band_free(first2, rows);
    band_free(run2, n_runs * sizeof *run);
    band_free(root2, bytes);
    band_free(number2, bytes + 4);
    band_free(area2, bytes);
    band_free(d_scan, scan);
    band_free(counted, scratch);
    free(first);
    free(run);
    free(root);
    free(number);
    free(area);
}

static void one_scene(const lp_layers *s, int pairs, int min_size)
{
    int Ly = s->Ly, Lx = s->Lx, i, t;
    size_t n_px = (size_t)Ly * Lx, px = (n_px + 1) / 2 * 2, bytes = n_px * 4;
    uint32_t *masks = calloc(1, bytes), *masks2 = calloc(1, bytes), *top, *top2, n = 0;
    lp_run *seed = malloc((n_px + 1) * sizeof *seed), *seed2 = malloc((n_px + 1) * sizeof *seed);
    planes want = planes_new(pairs, px), got = planes_new(pairs, px);
    lp_runs all = all_masks(s);

    memset(want.v, 0, n_px * 2);
    if (pairs) memset(want.ax, 0, n_px * 2), memset(want.ay, 0, n_px * 2);
    for (i = 0; i < s->n; i++) {
        lp_votes_add_ref(want.v, &s->layer[i].masks, Lx, 0, Ly);
        if (pairs) lp_votes_add_pairs_ref(want.ax, want.ay, &s->layer[i].masks, Lx, 0, Ly);
    }
    assert_int_equal(lp_votes_count_cuda(got.v, got.ax, got.ay, &all, Ly, Lx, NULL), 0);
    assert_memory_equal(got.v, want.v, n_px * 2);
    if (pairs) {
        assert_memory_equal(got.ax, want.ax, n_px * 2);
        assert_memory_equal(got.ay, want.ay, n_px * 2);
    }
    for (t = s->n; t >= 0; t--)
        one_level(&got, t == s->n ? 1 << 20 : t, min_size, Ly, Lx, masks, seed, &n, masks2, seed2);
    top = malloc(n * 4 + 4);
    top2 = band_new(n * 4);
    lp_votes_top_ref(top, n, masks, got.v, Ly, Lx);
    assert_int_equal(lp_votes_top_cuda(top2, n, masks, got.v, Ly, Lx, NULL), 0);
    assert_memory_equal(top2, top, n * 4);
    band_free(top2, n * 4);
    free(top);
    planes_free(&want, px);
    planes_free(&got, px);
    free(all.first);
    free(all.run);
    free(masks);
    free(masks2);
    free(seed);
    free(seed2);
}

static void scenes(void **state)
{
    int k, pairs;

    (void)state;
    for (k = 0; k < N_SIZES - 1; k++)
        for (pairs = 0; pairs < 2; pairs++) {
            int Ly = sizes[k][0], Lx = sizes[k][1];
            lp_layers *s = random_layers(7 + (uint64_t)k, Ly, Lx, 5, Ly * Lx / 150 + 3, 14);

            SIMT_SEEDS(seed) one_scene(s, pairs, pairs ? 6 : -1);
            lp_layers_free(&s);
        }
}

/* Combs whose teeth meet at the far end only, and a spiral: long ways to the first run. */
static void combs(void **state)
{
    enum { LY = 20, LX = 41 };
    static uint32_t lb[LY * LX];
    int kind, y, x, k;

    (void)state;
    for (kind = 0; kind < 4; kind++) {
        lp_layers *s = NULL;

        for (y = 0; y < LY; y++)
            for (x = 0; x < LX; x++) {
                int u = kind & 1 ? LX - 1 - x : x;

                lb[y * LX + x] = kind < 2 ? u % 2 == 0 || y == LY - 1 : y % 2 == 0 || u == LX - 1;
                if (kind >= 2 && y % 4 == 1 && u == LX - 1) lb[y * LX + x] = 0;
                if (kind >= 2 && y % 4 == 1 && u == 0) lb[y * LX + x] = 1;
            }
        assert_int_equal(lp_layers_new(LY, LX, &s, NULL), LP_OK);
        for (k = 0; k < 3; k++)
            assert_int_equal(lp_layers_add(s, 20 + k, lb, 1, 0, 0, NULL), LP_OK);
        SIMT_SEEDS(seed)
        {
            one_scene(s, 0, 1);
            one_scene(s, 1, 1);
        }
        lp_layers_free(&s);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(runs), cmocka_unit_test(scenes),
                                       cmocka_unit_test(combs)};

    omp_set_num_threads(1); /* of the plain versions: waiting threads would cost more */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
