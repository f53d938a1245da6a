/* Layers and measurements made of labels on the device, against those of the CPU: the same bits. */
#include <omp.h>

#include "../lp_test.h"
#include "host_mem.h"
#include "merge_random.h"
#include "simt_test.h"

#include "host/layers_cuda.h"
#include "host/measure_cuda.h"

static const int sizes[][2] = {{1, 1}, {1, 40}, {40, 1}, {7, 13}, {64, 256}, {65, 63}, {2, 2049}};
enum { N_SIZES = 7, N_KINDS = 5, MAX_LABELS = 90 };

typedef struct {
    int Ly, Lx;
    uint32_t *lb, n;
    float *image, *prob, error[MAX_LABELS];
} scene;

/* Nothing; one label everywhere; a chessboard; stripes; discs that overlap, with gaps between the
 * numbers. */
static scene scene_new(int size, int kind)
{
    scene s = {.Ly = sizes[size][0], .Lx = sizes[size][1], .n = kind == 0 ? 0 : MAX_LABELS};
    size_t n_px = (size_t)s.Ly * s.Lx, p;
    lp_rng r;
    int k;

    s.lb = calloc(n_px, sizeof *s.lb);
    s.image = malloc(n_px * sizeof *s.image);
    s.prob = malloc(n_px * sizeof *s.prob);
    assert_true(s.lb && s.image && s.prob);
    lp_rng_init(&r, 9, (uint32_t)size, (uint32_t)kind);
    for (p = 0; p < n_px; p++) {
        int y = (int)(p / s.Lx), x = (int)(p % s.Lx);

        s.image[p] = (float)(lp_rng_normal(&r) * 1e5);
        s.prob[p] = (float)lp_rng_normal(&r);
        if (kind == 1) s.lb[p] = 7;
        if (kind == 2) s.lb[p] = (uint32_t)(y + x) % 2 * 3;
        if (kind == 3) s.lb[p] = (uint32_t)(x / 3 % 5);
    }
    for (k = 0; k < MAX_LABELS / 2 && kind == 4; k++)
        random_disc(s.lb, s.Ly, s.Lx, lp_rng_range(&r, 0, s.Ly), lp_rng_range(&r, 0, s.Lx),
                    lp_rng_range(&r, 0.5, 12), 2 * (uint32_t)k + 1);
    for (k = 0; k < MAX_LABELS; k++) s.error[k] = (float)lp_rng_uniform(&r);
    return s;
}

static void scene_free(scene *s)
{
    free(s->lb);
    free(s->image);
    free(s->prob);
}

static void layers(void **state)
{
    int k, kind;

    (void)state;
    for (k = 0; k < N_SIZES; k++)
        for (kind = 0; kind < N_KINDS; kind++) {
            scene s = scene_new(k, kind);
            int with = (k + kind) % 3;
            const float *error = with ? s.error : NULL, *prob = with < 2 ? s.prob : NULL;
            lp_layer a, b;
            size_t n = s.n;

            assert_int_equal(lp_layer_make(30, s.Ly, s.Lx, s.lb, s.n, error, prob, &a, NULL),
                             LP_OK);
            SIMT_SEEDS(seed)
            {
                host_mem_state held = {0};
                lp_device_mem mem = host_mem(&held);

                assert_int_equal(
                    lp_layer_make_cuda(&mem, 30, s.Ly, s.Lx, s.lb, s.n, error, prob, &b, NULL),
                    LP_OK);
                assert_true(held.held == 0 && held.bytes == 0);
                assert_true(a.diameter == b.diameter && b.masks.n == n);
                assert_memory_equal(b.masks.first, a.masks.first, (n + 1) * 8);
                assert_memory_equal(b.masks.run, a.masks.run, a.masks.first[n] * sizeof(lp_run));
                lp_same_floats(b.flow_error, a.flow_error, n);
                lp_same_floats(b.cellprob, a.cellprob, n);
                lp_layer_clear(&b);
            }
            lp_layer_clear(&a);
            scene_free(&s);
        }
}

static void particles(void **state)
{
    int k, kind;

    (void)state;
    for (k = 0; k < N_SIZES; k++)
        for (kind = 0; kind < N_KINDS; kind++) {
            scene s = scene_new(k, kind);
            int with = (k + kind) % 4;
            const float *image = with & 1 ? s.image : NULL, *prob = with & 2 ? s.prob : NULL;
            lp_labels lb = {s.lb, s.Ly, s.Lx};
            lp_particle *a, *b;
            int64_t n, m;

            assert_int_equal(lp_measure_particles(&lb, image, prob, s.error, 40, 30, &a, &n, NULL),
                             LP_OK);
            SIMT_SEEDS(seed)
            {
                host_mem_state held = {0};
                lp_device_mem mem = host_mem(&held);

                assert_int_equal(lp_measure_particles_cuda(&mem, s.lb, s.n, s.Ly, s.Lx, image, prob,
                                                           s.error, 40, 30, &b, &m, NULL),
                                 LP_OK);
                assert_true(held.held == 0 && held.bytes == 0);
                assert_int_equal(m, n);
                assert_memory_equal(b, a, (size_t)n * sizeof *a);
                free(b);
            }
            free(a);
            scene_free(&s);
        }
}

/* The plain version of the sums, which the CPU does not call as such. */
static void plain_sums(void **state)
{
    int k, kind;

    (void)state;
    for (k = 0; k < N_SIZES; k++)
        for (kind = 1; kind < N_KINDS; kind++) {
            scene s = scene_new(k, kind);
            lp_measure_sums want[MAX_LABELS], got[MAX_LABELS];
            uint32_t *row = malloc(2 * ((size_t)s.Lx + 2) * sizeof *row), n_runs;
            host_mem_state held = {0};
            lp_device_mem mem = host_mem(&held);
            lp_device_pieces p = {.mem = &mem};
            double *sum;
            lp_runs r;

            lp_measure_ref(want, s.n, s.lb, s.image, s.prob, s.Ly, s.Lx, row);
            assert_int_equal(lp_runs_make_cuda(&p, s.lb, s.n, s.Ly, s.Lx, &r, &n_runs, NULL),
                             LP_OK);
            sum = malloc(2 * (size_t)n_runs * sizeof *sum);
            memset(got, 0xee, sizeof got);
            assert_int_equal(
                lp_measure_cuda(got, &r, n_runs, s.lb, s.image, s.prob, s.Ly, s.Lx, sum, NULL), 0);
            for (uint32_t l = 0; l < s.n; l++) {
                const lp_measure_sums *a = &got[l], *b = &want[l];

                assert_memory_equal(a, b, offsetof(lp_measure_sums, y0));
                assert_true(a->y0 == b->y0 && a->x0 == b->x0 && a->y1 == b->y1 && a->x1 == b->x1);
                assert_true(a->ox == b->ox);
            }
            lp_device_drop(&p, 0);
            free(sum);
            free(row);
            scene_free(&s);
        }
}

static void no_room(void **state)
{
    scene s = scene_new(3, 4);
    int what, k;

    (void)state;
    for (what = 0; what < 2; what++)
        for (k = 1;; k++) {
            host_mem_state held = {.fail_at = k};
            lp_device_mem mem = host_mem(&held);
            lp_particle *p = NULL;
            lp_layer y = {0};
            int64_t n;
            lp_status st =
                what ? lp_layer_make_cuda(&mem, 30, s.Ly, s.Lx, s.lb, s.n, NULL, s.prob, &y, NULL)
                     : lp_measure_particles_cuda(&mem, s.lb, s.n, s.Ly, s.Lx, s.image, NULL, NULL,
                                                 0, 30, &p, &n, NULL);

            assert_true(held.held == 0 && held.bytes == 0);
            free(p);
            lp_layer_clear(&y);
            if (!st) break;
            assert_int_equal(st, LP_ENOMEM);
            assert_true(k < 20);
        }
    scene_free(&s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(layers), cmocka_unit_test(particles),
                                       cmocka_unit_test(plain_sums), cmocka_unit_test(no_room)};

    omp_set_num_threads(1); /* of the plain versions: waiting threads would cost more */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
