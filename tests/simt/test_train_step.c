/* What is small in a step of training: norms, style, optimizer, weights, loss; against their plain
 * C, bit by bit. */
#include "../lp_test.h"
#include "simt_test.h"

#include "host/train_loss.h"
#include "host/train_optim.h"
#include "kernels/bf16.h"
#include "kernels/train_norm.h"
#include "kernels/train_step.h"
#include "kernels/train_style.h"

static uint32_t seed;

static float noise(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / (1 << 23) - 1;
}

static float *floats(size_t n)
{
    float *p = lp_guard_new(n);
    size_t i;

    for (i = 0; i < n; i++) p[i] = noise();
    return p;
}

/* Arrays of which the plain C and the kernels have one each, with the same in both. */
typedef struct {
    float *v[2];
    size_t n;
} pair;

static pair both(size_t n)
{
    pair p = {{floats(n), lp_guard_new(n)}, n};

    memcpy(p.v[1], p.v[0], n * sizeof(float));
    return p;
}

static void same(pair *p)
{
    assert_memory_equal(p->v[0], p->v[1], p->n * sizeof(float));
    lp_guard_check(p->v[1], p->n);
    lp_guard_free(p->v[0]);
    lp_guard_free(p->v[1]);
}

enum { RM, RV, COUNTER, SCALE, SHIFT, D_GAMMA, D_BETA, P, Q, D_F, DW, FOLDED, BIAS, OUTS };

static void norm(int n, int c, int cp, int oc, int training, int with_f)
{
    float *gamma = floats((size_t)c), *beta = floats((size_t)c), *f = floats((size_t)n * cp);
    float *w = floats((size_t)oc * c), *b = floats((size_t)oc), *sum = floats((size_t)oc);
    double *mean = malloc(sizeof *mean * cp), *var = malloc(sizeof *var * cp);
    double *image = malloc(sizeof *image * n * cp), *sg = malloc(sizeof *sg * n * cp);
    double *sgx = malloc(sizeof *sgx * n * cp);
    const size_t sizes[OUTS] = {
        (size_t)c,      (size_t)c,      1,          (size_t)cp,     (size_t)n * cp,
        (size_t)c,      (size_t)c,      (size_t)cp, (size_t)n * cp, (size_t)n * cp,
        (size_t)oc * c, (size_t)oc * c, (size_t)oc};
    pair o[OUTS];
    int k;

    assert_true(mean && var && image && sg && sgx);
    for (k = 0; k < cp; k++) {
        mean[k] = noise();
        var[k] = k % 3 ? fabs(noise()) : 0;
    }
    for (k = 0; k < n * cp; k++) {
        image[k] = noise();
        sg[k] = noise();
        sgx[k] = noise();
    }
    for (k = 0; k < OUTS; k++) o[k] = both(sizes[k]);
    for (k = 0; k < c; k++) o[RV].v[0][k] = o[RV].v[1][k] = fabsf(noise());
    for (k = 0; k < 2; k++) {
        lp_tnorm u = {n,
                      c,
                      cp,
                      35,
                      training,
                      gamma,
                      beta,
                      .running_mean = o[RM].v[k],
                      .running_var = o[RV].v[k],
                      .counter = o[COUNTER].v[k],
                      .mean = mean,
                      .var = var,
                      .image_mean = image,
                      .f = with_f ? f : NULL,
                      .scale = o[SCALE].v[k],
                      .shift = o[SHIFT].v[k],
                      .d_gamma = o[D_GAMMA].v[k],
                      .d_beta = o[D_BETA].v[k],
                      .p = o[P].v[k],
                      .q = o[Q].v[k],
                      .d_f = with_f ? o[D_F].v[k] : NULL};

        if (k) {
            assert_int_equal(lp_tnorm_coefficients_cuda(&u, NULL), 0);
            assert_int_equal(lp_tnorm_gradients_cuda(&u, sg, sgx, NULL), 0);
        } else {
            lp_tnorm_coefficients_ref(&u);
            lp_tnorm_gradients_ref(&u, sg, sgx);
        }
        if (with_f) continue;
        if (k) {
            assert_int_equal(lp_tnorm_fold_cuda(&u, oc, w, b, o[FOLDED].v[k], o[BIAS].v[k], NULL),
                             0);
            assert_int_equal(lp_tnorm_fold_gradients_cuda(&u, oc, w, sum, o[DW].v[k], NULL), 0);
        } else {
            lp_tnorm_fold_ref(&u, oc, w, b, o[FOLDED].v[k], o[BIAS].v[k]);
            lp_tnorm_fold_gradients_ref(&u, oc, w, sum, o[DW].v[k]);
        }
    }
    for (k = 0; k < OUTS; k++) same(&o[k]);
    lp_guard_free(gamma);
    lp_guard_free(beta);
    lp_guard_free(f);
    lp_guard_free(w);
    lp_guard_free(b);
    lp_guard_free(sum);
    free(mean);
    free(var);
    free(image);
    free(sg);
    free(sgx);
}

static void test_norm(void **state)
{
    int k;

    (void)state;
    seed = 1;
    for (k = 0; k < 4; k++) {
        norm(1, 1, 8, 1, k & 1, k >> 1);
        norm(3, 70, 72, 130, k & 1, k >> 1);
        norm(8, 256, 256, 40, k & 1, k >> 1);
    }
}

static void style(int images, int n, int c, int cp)
{
    float *w = floats((size_t)c * n), *b = floats((size_t)c), *d_f = floats((size_t)images * cp);
    int padded = n + 3, k;
    double *means = malloc(sizeof *means * images * padded);
    pair m = both((size_t)images * n), v = both(m.n), g = both(m.n), f = both((size_t)images * cp);
    pair dw = both((size_t)c * n), db = both((size_t)c), back = both((size_t)images * padded);

    assert_non_null(means);
    for (k = 0; k < images * padded; k++) means[k] = noise();
    for (k = 0; k < 2; k++) {
        const lp_tstyle s = {n, m.v[k], v.v[k], g.v[k]};

        if (k) {
            assert_int_equal(lp_tstyle_make_cuda(&s, images, means, padded, NULL), 0);
            assert_int_equal(lp_tstyle_apply_cuda(&s, images, w, b, c, cp, f.v[k], NULL), 0);
            assert_int_equal(
                lp_tstyle_gradients_cuda(&s, images, w, d_f, c, cp, dw.v[k], db.v[k], NULL), 0);
            assert_int_equal(lp_tstyle_back_cuda(&s, images, 35, padded, back.v[k], NULL), 0);
        } else {
            lp_tstyle_make_ref(&s, images, means, padded);
            lp_tstyle_apply_ref(&s, images, w, b, c, cp, f.v[k]);
            lp_tstyle_gradients_ref(&s, images, w, d_f, c, cp, dw.v[k], db.v[k]);
            lp_tstyle_back_ref(&s, images, 35, padded, back.v[k]);
        }
    }
    same(&m);
    same(&v);
    same(&g);
    same(&f);
    same(&dw);
    same(&db);
    same(&back);
    lp_guard_free(w);
    lp_guard_free(b);
    lp_guard_free(d_f);
    free(means);
}

static void test_style(void **state)
{
    (void)state;
    seed = 2;
    style(1, 1, 1, 8);
    style(3, 37, 20, 24);
    style(8, 130, 64, 64);
}

/* Five steps, by the CPU's optimizer on one tensor and by the kernels. */
static void test_optimizer(void **state)
{
    enum { N = 1000 };
    int sgd, k;

    (void)state;
    seed = 3;
    for (sgd = 0; sgd < 2; sgd++) {
        const lp_optim_options o = {sgd, 1e-2, 0.9};
        pair p = both(N), m = both(N), v = both(N);
        lp_tensor t = {.name = (char *)"x.weight", .data = p.v[0], .n = N};
        lp_weights w = {.tensors = &t, .n_tensors = 1};
        lp_optim cpu, gpu = {.o = o};
        lp_err err;

        assert_int_equal(lp_optim_new(&w, &o, &cpu, &err), 0);
        memset(m.v[1], 0, N * sizeof(float));
        memset(v.v[1], 0, N * sizeof(float));
        for (k = 0; k < 5; k++) {
            float *g = floats(N);
            lp_tstep_rates r = lp_optim_rates(&gpu, 0.01);

            lp_optim_step(&cpu, &w, &g, 0.01);
            assert_int_equal(sgd ? lp_tstep_sgd_cuda(p.v[1], g, m.v[1], N, &r, NULL)
                                 : lp_tstep_adamw_cuda(p.v[1], g, m.v[1], v.v[1], N, &r, NULL),
                             0);
            lp_guard_free(g);
        }
        memcpy(m.v[0], cpu.state, N * sizeof(float));
        memcpy(v.v[0], sgd ? v.v[1] : cpu.state + N, N * sizeof(float));
        same(&p);
        same(&m);
        same(&v);
        lp_optim_free(&cpu);
    }
}

static void test_weights(void **state)
{
    static const int sizes[][3] = {{1, 1, 1}, {3, 2, 9}, {20, 33, 9}, {70, 8, 1}};
    size_t s;
    int bf16, o, i, t;

    (void)state;
    seed = 4;
    for (s = 0; s < 2 * sizeof sizes / sizeof *sizes; s++) {
        int oc = sizes[s / 2][0], ic = sizes[s / 2][1], taps = sizes[s / 2][2];
        int ocp = (oc + 7) / 8 * 8, icp = (ic + 7) / 8 * 8;
        size_t n = (size_t)oc * ic * taps;
        float *w = floats(n), *back = lp_guard_new(n);
        float *packed = lp_guard_new((size_t)ocp * icp * taps);

        bf16 = (int)(s % 2);
        for (i = 0; i < (int)n && bf16; i++) w[i] = lp_bf16_to(lp_bf16_from(w[i]));
        assert_int_equal(lp_tstep_pack_cuda(packed, w, oc, ic, taps, ocp, icp, bf16, NULL), 0);
        for (o = 0; o < ocp; o++)
            for (i = 0; i < icp; i++)
                for (t = 0; t < taps; t++) {
                    size_t k = ((size_t)o * taps + t) * icp + i;
                    float got = bf16 ? lp_bf16_to(((uint16_t *)(void *)packed)[k]) : packed[k];

                    assert_true(got == (o < oc && i < ic ? w[((size_t)o * ic + i) * taps + t] : 0));
                }
        lp_guard_check(packed, (size_t)ocp * icp * taps);
        assert_int_equal(lp_tstep_unpack_cuda(back, packed, oc, ic, taps, icp, bf16, NULL), 0);
        assert_memory_equal(back, w, n * sizeof *w);
        lp_guard_check(back, n);
        lp_guard_free(w);
        lp_guard_free(back);
        lp_guard_free(packed);
    }
}

/* Gradients bit by bit; the losses are sums in another order. */
static void test_loss(void **state)
{
    static const int sizes[][3] = {{1, 1, 1}, {2, 7, 13}, {3, 41, 67}};
    size_t s, k;
    int seeds;

    (void)state;
    seed = 5;
    for (s = 0; s < 3; s++) {
        int n = sizes[s][0], ly = sizes[s][1], lx = sizes[s][2];
        size_t all = (size_t)n * 3 * ly * lx;
        float *y = floats(all), *t = floats(all), *d = lp_guard_new(all), *ref = malloc(all * 4);
        double *each = malloc(sizeof *each * n), *got = malloc(sizeof *got * n);
        double *first = malloc(sizeof *first * n);
        double *work = malloc(sizeof *work * lp_tstep_loss_work(n, ly, lx));

        for (k = 0; k < all; k++) y[k] *= k % 7 ? 3 : 100;
        lp_train_loss(y, t, n, ly, lx, each, ref);
        for (seeds = 0; simt_next_seed(seeds); seeds++) {
            assert_int_equal(lp_tstep_loss_cuda(y, t, n, ly, lx, got, d, work, NULL), 0);
            assert_memory_equal(d, ref, all * sizeof *d);
            lp_guard_check(d, all);
            for (k = 0; k < (size_t)n; k++) LP_ASSERT_CLOSE(got[k], each[k], 0, 1e-12);
            if (!seeds) memcpy(first, got, sizeof *got * n);
            assert_memory_equal(first, got, sizeof *got * n);
        }
        assert_int_equal(lp_tstep_loss_cuda(y, t, n, ly, lx, got, NULL, work, NULL), 0);
        assert_memory_equal(first, got, sizeof *got * n);
        y[0] = NAN; /* it must be seen */
        assert_int_equal(lp_tstep_loss_cuda(y, t, n, ly, lx, got, NULL, work, NULL), 0);
        assert_true(isnan(got[0]));
        lp_guard_free(y);
        lp_guard_free(t);
        lp_guard_free(d);
        free(ref);
        free(each);
        free(got);
        free(first);
        free(work);
    }
    assert_int_not_equal(lp_tstep_loss_cuda(NULL, NULL, 0, 1, 1, NULL, NULL, NULL, NULL), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_norm),      cmocka_unit_test(test_style),
        cmocka_unit_test(test_optimizer), cmocka_unit_test(test_weights),
        cmocka_unit_test(test_loss),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
