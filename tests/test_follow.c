/* Pixels end where Cellpose's end, bit for bit, and the tuned version ends where the
 * plain one does on any input. */
#include <omp.h>

#include "kernels/follow.h"
#include "lp_h5.h"
#include "lp_scene.h"

typedef struct {
    uint32_t *end;
    float *p;
} result;

typedef void follow_fn(uint32_t *, float *, const float *, const float *, int, int, double, int,
                       int, void *);

/* Out of line: gcc otherwise warns of sizes that cannot occur. */
static __attribute__((noinline)) float *guarded(size_t n)
{
    return lp_guard_new(n);
}

static result run(follow_fn *fn, const float *flows, const float *cellprob, int Ly, int Lx,
                  double threshold, int niter, int interp, int with_p)
{
    size_t n = (size_t)Ly * Lx, bytes = lp_follow_scratch(Ly, Lx), i;
    /* uint32 and float have one size: guard bands for both from the same helper. */
    result r = {(uint32_t *)guarded(n), guarded(2 * n)};
    float *scratch = guarded(bytes / sizeof(float) + 1);

    for (i = 0; i < 2 * n; i++) r.p[i] = -1;
    fn(r.end, with_p ? r.p : NULL, flows, cellprob, Ly, Lx, threshold, niter, interp, scratch);
    lp_guard_check((float *)r.end, n);
    lp_guard_check(r.p, 2 * n);
    lp_guard_check(scratch, bytes / sizeof(float) + 1);
    lp_guard_free(scratch);
    return r;
}

static void result_free(result *r)
{
    lp_guard_free((float *)r->end);
    lp_guard_free(r->p);
}

/* Runs both versions, demands the same bits, returns one of the results. */
static result both(const float *flows, const float *cellprob, int Ly, int Lx, double threshold,
                   int niter, int interp)
{
    result a = run(lp_follow_ref, flows, cellprob, Ly, Lx, threshold, niter, interp, 1);
    result b = run(lp_follow_cpu, flows, cellprob, Ly, Lx, threshold, niter, interp, 1);
    result c = run(lp_follow_cpu, flows, cellprob, Ly, Lx, threshold, niter, interp, 0);
    size_t n = (size_t)Ly * Lx, i;

    for (i = 0; i < n; i++) {
        if (a.end[i] != LP_FOLLOW_NONE) assert_true(a.end[i] < n);
        if (a.end[i] != b.end[i] || a.p[i] != b.p[i] || a.p[n + i] != b.p[n + i])
            fail_msg("pixel %zu of %d x %d, niter %d: %.9g,%.9g and %.9g,%.9g", i, Ly, Lx, niter,
                     (double)a.p[i], (double)a.p[n + i], (double)b.p[i], (double)b.p[n + i]);
    }
    assert_memory_equal(a.end, c.end, n * sizeof *a.end); /* pixels alone may be found sooner */
    result_free(&b);
    result_free(&c);
    return a;
}

static void golden(void **state)
{
    LP_NEED_DATA(path, "golden/stages.h5");
    hsize_t dims[8], d2[8];
    float *flows = lp_h5_float(path, "dP", dims), *cellprob = lp_h5_float(path, "cellprob", d2);
    uint32_t *inds = lp_h5_u32(path, "inds", d2);
    int Ly = (int)dims[1], Lx = (int)dims[2], k;

    (void)state;
    for (k = 0; k < 4; k++) {
        static const int niter[] = {1, 200, 1, 200}, interp[] = {0, 0, 1, 1};
        char name[64];
        float *want;
        size_t n, i, plane = (size_t)Ly * Lx, seen = 0;
        result r;

        snprintf(name, sizeof name, "follow_niter%d_interp%d", niter[k], interp[k]);
        want = lp_h5_float(path, name, d2);
        n = d2[1];
        r = both(flows, cellprob, Ly, Lx, 0, niter[k], interp[k]);
        for (i = 0; i < n; i++) {
            size_t pix = (size_t)inds[i] * Lx + inds[n + i];

            assert_true(r.p[pix] == want[i] && r.p[plane + pix] == want[n + i]);
            assert_int_equal(r.end[pix], (uint32_t)want[i] * (uint32_t)Lx + (uint32_t)want[n + i]);
        }
        for (i = 0; i < plane; i++) seen += r.end[i] != LP_FOLLOW_NONE;
        assert_int_equal(seen, n);
        result_free(&r);
        free(want);
    }
    free(inds);
    free(cellprob);
    free(flows);
}

static void odd_sizes_and_values(void **state)
{
    static const int size[][2] = {{1, 1}, {1, 40}, {40, 1}, {7, 13}, {65, 33}, {2, 2}};
    uint64_t seed = 1;
    size_t k, i;

    (void)state;
    for (k = 0; k < sizeof size / sizeof size[0]; k++) {
        int Ly = size[k][0], Lx = size[k][1], mode;
        size_t n = (size_t)Ly * Lx;
        float *flows = malloc(2 * n * sizeof *flows), *cellprob = malloc(n * sizeof *cellprob);

        assert_true(flows && cellprob);
        for (mode = 0; mode < 4; mode++) {
            result r;

            for (i = 0; i < n; i++) cellprob[i] = lp_rand_float(&seed, -1, 3);
            for (i = 0; i < 2 * n; i++) {
                flows[i] = lp_rand_float(&seed, -6, 6);
                if (mode == 1) flows[i] = 0;
                if (mode == 2) flows[i] *= 1e6f;
                if (mode == 3 && i % 5 == 0) flows[i] = i % 2 ? NAN : INFINITY;
            }
            if (mode == 3) cellprob[n / 2] = NAN;
            r = both(flows, cellprob, Ly, Lx, 0.25, 37, 1);
            for (i = 0; i < n; i++)
                assert_int_equal(r.end[i] != LP_FOLLOW_NONE, cellprob[i] > 0.25f);
            if (mode == 1)
                for (i = 0; i < n; i++)
                    if (r.end[i] != LP_FOLLOW_NONE) assert_int_equal(r.end[i], i);
            result_free(&r);
            r = both(flows, cellprob, Ly, Lx, 0.25, 37, 0);
            result_free(&r);
            r = both(flows, cellprob, Ly, Lx, 0.25, 0, 1);
            result_free(&r);
        }
        free(flows);
        free(cellprob);
    }
}

/* Orbits around a centre, periods of 2 and more: cut short, yet exact at any step. */
static void cycles(void **state)
{
    enum { L = 40 };
    float *flows = malloc(2 * L * L * sizeof *flows), *cellprob = malloc(L * L * sizeof *cellprob);
    int y, x, niter;

    (void)state;
    assert_true(flows && cellprob);
    for (y = 0; y < L; y++)
        for (x = 0; x < L; x++) {
            flows[y * L + x] = x < L / 2 ? 5.0f : -5.0f; /* a whirl of whole pixels */
            flows[L * L + y * L + x] = y < L / 2 ? -5.0f : 5.0f;
            cellprob[y * L + x] = 1;
        }
    for (niter = 1; niter < 80; niter++) {
        result r = both(flows, cellprob, L, L, 0, niter, niter % 2);

        result_free(&r);
    }
    free(flows);
    free(cellprob);
}

static void threads(void **state)
{
    static const int count[] = {1, 2, 3, 5, 8};
    enum { Ly = 130, Lx = 97 };
    uint32_t *labels = calloc(Ly * Lx, sizeof *labels);
    int before = omp_get_max_threads();
    float *flows, *cellprob;
    size_t k;

    (void)state;
    assert_non_null(labels);
    lp_scene_disc(labels, Ly, Lx, 1, 40, 40, 30);
    lp_scene_disc(labels, Ly, Lx, 2, 100, 60, 20);
    lp_scene_network(labels, 2, Ly, Lx, &flows, &cellprob);
    for (k = 0; k < 5; k++) {
        result r;

        omp_set_num_threads(count[k]);
        r = both(flows, cellprob, Ly, Lx, 0, 200, 1);
        assert_int_equal(labels[r.end[40 * Lx + 12]], 1); /* all of a disc gathers in it */
        result_free(&r);
    }
    omp_set_num_threads(before);
    free(labels);
    free(flows);
    free(cellprob);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(golden),
        cmocka_unit_test(odd_sizes_and_values),
        cmocka_unit_test(cycles),
        cmocka_unit_test(threads),
    };
    return cmocka_run_group_tests(tests, NULL, NULL);
}
