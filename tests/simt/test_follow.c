/* lp_follow_cuda against its twin: the same bits. */
#include "kernels/follow.h"

#include "../lp_scene.h"
#include "simt_test.h"

static void same(const float *flows, const float *cellprob, int Ly, int Lx, int niter, int interp,
                 int positions)
{
    const size_t n = (uint32_t)(Ly * Lx), bytes = lp_follow_scratch_cuda(Ly, Lx);
    float *end = lp_guard_new(n), *want = lp_guard_new(n), *p = lp_guard_new(2 * n);
    float *want_p = lp_guard_new(2 * n), *scratch = lp_guard_new((bytes + 3) / 4);

    lp_follow_ref((uint32_t *)want, want_p, flows, cellprob, Ly, Lx, 0.25, niter, interp, NULL);
    assert_int_equal(lp_follow_cuda((uint32_t *)end, positions ? p : NULL, flows, cellprob, Ly, Lx,
                                    0.25, niter, interp, scratch, NULL),
                     0);
    assert_memory_equal(end, want, n * sizeof *end);
    if (positions) assert_memory_equal(p, want_p, 2 * n * sizeof *p);
    lp_guard_check(end, n);
    lp_guard_check(p, 2 * n);
    lp_guard_check(scratch, (bytes + 3) / 4);
    lp_guard_free(end);
    lp_guard_free(want);
    lp_guard_free(p);
    lp_guard_free(want_p);
    lp_guard_free(scratch);
}

static void sizes(void **state)
{
    static const int size[][2] = {{1, 1}, {1, 40}, {40, 1}, {7, 13}, {32, 32}, {33, 63}, {97, 130}};
    uint64_t seed = 5;
    size_t k, i;

    (void)state;
    for (k = 0; k < sizeof size / sizeof *size; k++) {
        const int Ly = size[k][0], Lx = size[k][1];
        const size_t n = (size_t)Ly * (size_t)Lx;
        float *flows = malloc(2 * n * sizeof *flows), *cellprob = malloc(n * sizeof *cellprob);
        int mode;

        assert_true(flows && cellprob);
        for (mode = 0; mode < 6; mode++) {
            for (i = 0; i < n; i++) {
                const double y = (double)(i / (size_t)Lx), x = (double)(i % (size_t)Lx);

                /* Smooth, so that points gather in pixels, at edges and on circles. */
                flows[i] = 5 * (float)(sin(y / 9 + 1) * cos(x / 7));
                flows[n + i] = 5 * (float)(sin(x / 5) + (mode == 3 ? cos(y / 6) : 0.2));
                if (mode == 1) flows[i] *= lp_rand_float(&seed, -2, 2);
                if (mode == 2 && i % 7 == 0) flows[i] = i % 2 ? NAN : INFINITY;
                if (mode == 4) flows[i] = flows[n + i] = i % 3 ? 1e30f : -1e30f;
                cellprob[i] = mode == 5 ? 0.25f : lp_rand_float(&seed, -0.2f, 3);
                if (i % 11 == 0) cellprob[i] = NAN;
            }
            SIMT_SEEDS(s) same(flows, cellprob, Ly, Lx, 200, 1, s == 1);
            same(flows, cellprob, Ly, Lx, 17, 0, mode % 2);
            same(flows, cellprob, Ly, Lx, mode % 2, 1, mode % 3 == 0);
        }
        free(cellprob);
        free(flows);
    }
}

/* Blocks of 2 x 2 pixels that send everything to their middle, but in some one corner sends it out:
 * those are pixels that can be left. */
static void leaks(void **state)
{
    enum { LY = 46, LX = 50, N = LY * LX };
    float flows[2 * N], cellprob[N];
    uint64_t seed = 12;
    int round, y, x;

    (void)state;
    for (round = 0; round < 6; round++) {
        for (y = 0; y < LY; y++)
            for (x = 0; x < LX; x++) {
                flows[y * LX + x] = lp_rand_float(&seed, 1, 4) * (y % 2 ? -1.0f : 1.0f);
                flows[N + y * LX + x] = lp_rand_float(&seed, 1, 4) * (x % 2 ? -1.0f : 1.0f);
                cellprob[y * LX + x] = 1;
            }
        for (y = 0; y < LY / 2; y++)
            for (x = 0; x < LX / 2; x++) {
                const uint32_t r = lp_rand(&seed) % 12;
                const size_t i =
                    (size_t)(2 * y + (int)(r & 1)) * LX + (size_t)(2 * x + (int)(r >> 1 & 1));

                if (r < 8) flows[(r >> 2) * (size_t)N + i] *= round % 2 ? -1.0f : 1.6f;
            }
        same(flows, cellprob, LY, LX, 3 + 40 * round, 1, 0);
        same(flows, cellprob, LY, LX, 3 + 40 * round, 1, 1);
    }
}

/* Pixels that send each other around in rings of 2, 4 and 12 pixels: where a point ends depends on
 * the number of steps modulo these. */
static void cycles(void **state)
{
    enum { L = 16, N = L * L };
    static const int ring[][2] = {{8, 8},   {8, 9},   {8, 10}, {8, 11}, {9, 11}, {10, 11},
                                  {11, 11}, {11, 10}, {11, 9}, {11, 8}, {10, 8}, {9, 8}};
    float flows[2 * N] = {0}, cellprob[N];
    int i, niter;

    (void)state;
    for (i = 0; i < N; i++) cellprob[i] = 1;
    flows[N + 2 * L + 2] = 5;
    flows[N + 2 * L + 3] = -5;
    flows[N + 5 * L + 2] = 5;
    flows[5 * L + 3] = 5;
    flows[N + 6 * L + 3] = -5;
    flows[6 * L + 2] = -5;
    for (i = 0; i < 12; i++) {
        const int *a = ring[i], *b = ring[(i + 1) % 12];

        flows[a[0] * L + a[1]] = 5 * (float)(b[0] - a[0]);
        flows[N + a[0] * L + a[1]] = 5 * (float)(b[1] - a[1]);
    }
    for (niter = 0; niter < 300; niter += niter < 30 ? 1 : 37) {
        same(flows, cellprob, L, L, niter, 0, 1);
        same(flows, cellprob, L, L, niter, 1, niter % 2);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(sizes), cmocka_unit_test(leaks),
                                       cmocka_unit_test(cycles)};
    return cmocka_run_group_tests(tests, NULL, NULL);
}
