/* test_unet_ops - what stands between the convolutions (host/unet_ops.h) against plain loops, in
 * every layout, float32 and bfloat16, whole and in strips of rows. */
#include "lp_test.h"

#include "host/unet_ops.h"

static const lp_act acts[] = {{1, 5, 0}, {1, 32, 0}, {2, 16, 0}, {1, 5, 1}, {1, 32, 1}, {2, 16, 1}};
#define N_ACTS (sizeof acts / sizeof *acts)
#define MAX_C 32

/* One multiply-add may be fused or not: a unit in the last place of float32, relative to the
 * operands, and then the rounding to bfloat16 may fall on the other side. */
static void close_enough(lp_act a, float got, float ref, float operands)
{
    double tol = 2e-7 * operands + (a.bf16 ? fabs(ref) / 128 : 0);

    if (!(fabs((double)got - ref) <= tol)) fail_msg("%.9g, expected %.9g", got, ref);
}

static unsigned state_;
static float noise(void)
{
    state_ = state_ * 1664525u + 1013904223u;
    return (float)((int)(state_ >> 8) - (1 << 23)) / (1 << 22);
}

static float round_bf16(float f)
{
    uint32_t u, low;

    memcpy(&u, &f, 4);
    low = u & 0xffffu;
    u &= 0xffff0000u;
    if (low > 0x8000u || (low == 0x8000u && (u & 0x10000u))) u += 0x10000u;
    memcpy(&f, &u, 4);
    return f;
}

static float rounded(lp_act a, float f)
{
    return a.bf16 ? round_bf16(f) : f;
}

static size_t place(lp_act a, int c, int y, int x, int h, int w)
{
    return (((size_t)(c / a.cblk) * h + y) * w + x) * a.cblk + c % a.cblk;
}

static float get(lp_act a, const void *p, size_t i)
{
    uint32_t u;
    float f;

    if (!a.bf16) return ((const float *)p)[i];
    u = (uint32_t)((const uint16_t *)p)[i] << 16;
    memcpy(&f, &u, 4);
    return f;
}

static void set(lp_act a, void *p, size_t i, float f)
{
    uint32_t u;

    if (!a.bf16) {
        ((float *)p)[i] = f;
        return;
    }
    f = round_bf16(f);
    memcpy(&u, &f, 4);
    ((uint16_t *)p)[i] = (uint16_t)(u >> 16);
}

static void *new_act(lp_act a, int h, int w, int random)
{
    size_t n = (size_t)a.nblk * a.cblk * h * w, i;
    void *p = aligned_alloc(64, (n * 4 + 63) / 64 * 64);

    assert_non_null(p);
    for (i = 0; i < n; i++) set(a, p, i, random ? noise() : 1e30f);
    return p;
}

typedef struct {
    lp_act a;
    int C, h, w;
    float scale[MAX_C], shift[MAX_C];
} setting;

static setting begin(size_t k, int h, int w)
{
    setting s = {.a = acts[k], .h = h, .w = w};
    int c;

    s.C = s.a.nblk * s.a.cblk;
    state_ = (unsigned)(k * 77 + (size_t)h);
    for (c = 0; c < MAX_C; c++) {
        s.scale[c] = noise();
        s.shift[c] = noise();
    }
    return s;
}

static float relu(float x)
{
    return x > 0 ? x : 0;
}

#define EACH(s)                                                                                    \
    for (c = 0; c < (s).C; c++)                                                                    \
        for (y = 0; y < (s).h; y++)                                                                \
            for (x = 0; x < (s).w; x++)

static void bn_relu(void **state)
{
    size_t k;
    int c, y, x;

    (void)state;
    for (k = 0; k < N_ACTS; k++) {
        setting s = begin(k, 6, 7);
        void *in = new_act(s.a, s.h, s.w, 1), *out = new_act(s.a, s.h, s.w, 0);

        lp_ops_bn_relu(s.a, out, in, s.h, s.w, s.scale, s.shift, 0, 2);
        /* Rows that were not asked for stay. */
        assert_true(get(s.a, out, place(s.a, 0, 2, 0, s.h, s.w)) > 1e29f);
        lp_ops_bn_relu(s.a, out, in, s.h, s.w, s.scale, s.shift, 2, s.h);
        EACH(s)
        {
            float v = get(s.a, in, place(s.a, c, y, x, s.h, s.w));

            close_enough(s.a, get(s.a, out, place(s.a, c, y, x, s.h, s.w)),
                         relu(s.scale[c] * v + s.shift[c]), fabsf(s.scale[c] * v) + 4);
        }
        /* In place, the same bits. */
        lp_ops_bn_relu(s.a, in, in, s.h, s.w, s.scale, s.shift, 0, s.h);
        assert_memory_equal(in, out, (size_t)s.C * s.h * s.w * (s.a.bf16 ? 2 : 4));
        free(in);
        free(out);
    }
}

static void pool(void **state)
{
    size_t k;
    int c, y, x, i;

    (void)state;
    for (k = 0; k < N_ACTS; k++) {
        setting s = begin(k, 3, 5);
        void *in = new_act(s.a, 2 * s.h, 2 * s.w, 1), *p = new_act(s.a, s.h, s.w, 0);
        void *out = new_act(s.a, s.h, s.w, 0);

        lp_ops_pool_bn_relu(s.a, p, out, in, s.h, s.w, s.scale, s.shift, 0, 1);
        lp_ops_pool_bn_relu(s.a, p, out, in, s.h, s.w, s.scale, s.shift, 1, s.h);
        EACH(s)
        {
            float m = -INFINITY;

            for (i = 0; i < 4; i++)
                m = fmaxf(
                    m, get(s.a, in, place(s.a, c, 2 * y + i / 2, 2 * x + i % 2, 2 * s.h, 2 * s.w)));
            assert_true(get(s.a, p, place(s.a, c, y, x, s.h, s.w)) == m);
            close_enough(s.a, get(s.a, out, place(s.a, c, y, x, s.h, s.w)),
                         relu(s.scale[c] * m + s.shift[c]), fabsf(s.scale[c] * m) + 4);
        }
        free(in);
        free(p);
        free(out);
    }
}

static void up_and_add(void **state)
{
    size_t k;
    int c, y, x, f;

    (void)state;
    for (k = 0; k < N_ACTS; k++)
        for (f = 1; f <= 2; f++) {
            setting s = begin(k, 6, 4);
            int h = s.h / f, w = s.w / f;
            void *small = new_act(s.a, h, w, 1), *sum = new_act(s.a, s.h, s.w, 1);
            void *before = new_act(s.a, s.h, s.w, 0), *out = new_act(s.a, s.h, s.w, 0);

            memcpy(before, sum, (size_t)s.C * s.h * s.w * (s.a.bf16 ? 2 : 4));
            lp_ops_up_bn_relu(s.a, out, small, s.h, s.w, f, s.scale, s.shift, 0, 3);
            lp_ops_up_bn_relu(s.a, out, small, s.h, s.w, f, s.scale, s.shift, 3, s.h);
            EACH(s)
            {
                float v = get(s.a, small, place(s.a, c, y / f, x / f, h, w));

                close_enough(s.a, get(s.a, out, place(s.a, c, y, x, s.h, s.w)),
                             relu(s.scale[c] * v + s.shift[c]), fabsf(s.scale[c] * v) + 4);
            }
            lp_ops_add_up_bn_relu(s.a, out, sum, small, s.h, s.w, f, s.scale, s.shift, 0, 2);
            lp_ops_add_up_bn_relu(s.a, out, sum, small, s.h, s.w, f, s.scale, s.shift, 2, s.h);
            EACH(s)
            {
                float v = get(s.a, before, place(s.a, c, y, x, s.h, s.w)) +
                          get(s.a, small, place(s.a, c, y / f, x / f, h, w));
                float got = get(s.a, sum, place(s.a, c, y, x, s.h, s.w));

                /* One addition, rounded to nearest even: exact. */
                if (got != rounded(s.a, v)) fail_msg("%.9g, expected %.9g", got, rounded(s.a, v));
                close_enough(s.a, get(s.a, out, place(s.a, c, y, x, s.h, s.w)),
                             relu(s.scale[c] * v + s.shift[c]),
                             fabsf(s.scale[c] * v) * (s.a.bf16 ? 2e4f : 1) + 4);
            }
            free(small);
            free(sum);
            free(before);
            free(out);
        }
}

/* Values that lie half-way between two bfloat16 go to the even one; ReLU of NaN-free input. */
static void rounding(void **state)
{
    static const struct {
        uint32_t in;
        uint16_t out;
    } t[] = {{0x3f808000, 0x3f80}, {0x3f818000, 0x3f82}, {0x3f808001, 0x3f81},
             {0x3f80ffff, 0x3f81}, {0x3f807fff, 0x3f80}, {0x7f7f0000, 0x7f7f},
             {0x00000000, 0x0000}, {0xbf800000, 0x0000}};
    float in[8], one[8] = {1, 1, 1, 1, 1, 1, 1, 1}, zero[8] = {0};
    uint16_t out[8];
    lp_act a = {1, 8, 1};
    int i;

    (void)state;
    for (i = 0; i < 8; i++) memcpy(&in[i], &t[i].in, 4);
    /* Eight float32 planes of one pixel -> channels-last. */
    lp_ops_first_bn_relu(a, out, in, 8, 1, 1, one, zero, 0, 1);
    for (i = 0; i < 8; i++)
        if (out[i] != t[i].out) fail_msg("%08x became %04x", t[i].in, out[i]);
}

static void ends_of_the_net(void **state)
{
    enum { NIN = 2, NOUT = 3, H = 5, W = 6 };
    size_t k;
    int c, y, x, o, i;

    (void)state;
    for (k = 0; k < N_ACTS; k++) {
        setting s = begin(k, H, W);
        lp_act planes = {NIN, 1, 0}, last = {1, NIN, s.a.bf16};
        float in[NIN * H * W], first[NIN * H * W], proj_w[MAX_C * NIN], proj_b[MAX_C];
        float out_w[NOUT * MAX_C], out_b[NOUT], got[NOUT * H * W], style[MAX_C];
        void *act = new_act(s.a, H, W, 1), *before = new_act(s.a, H, W, 0);
        void *out = new_act(s.a, H, W, 0), *nhwc = new_act(last, H, W, 0);
        double sum[MAX_C] = {0}, len = 0;

        for (i = 0; i < NIN * H * W; i++) in[i] = noise();
        for (i = 0; i < MAX_C * NIN; i++) proj_w[i] = noise();
        for (i = 0; i < MAX_C; i++) proj_b[i] = noise();
        for (i = 0; i < NOUT * MAX_C; i++) out_w[i] = noise();
        for (i = 0; i < NOUT; i++) out_b[i] = noise();
        memcpy(before, act, (size_t)s.C * H * W * (s.a.bf16 ? 2 : 4));

        lp_ops_first_bn_relu(planes, first, in, NIN, H, W, s.scale, s.shift, 0, H);
        lp_ops_first_bn_relu(last, nhwc, in, NIN, H, W, s.scale, s.shift, 0, 2);
        lp_ops_first_bn_relu(last, nhwc, in, NIN, H, W, s.scale, s.shift, 2, H);
        for (c = 0; c < NIN; c++)
            for (i = 0; i < H * W; i++) {
                float ref = relu(s.scale[c] * in[c * H * W + i] + s.shift[c]);

                close_enough(planes, first[c * H * W + i], ref, 8);
                close_enough(last, get(last, nhwc, (size_t)i * NIN + c), ref, 8);
            }

        lp_ops_proj_bn_relu(s.a, out, act, in, NIN, H, W, proj_w, proj_b, s.scale, s.shift, 0, 3);
        lp_ops_proj_bn_relu(s.a, out, act, in, NIN, H, W, proj_w, proj_b, s.scale, s.shift, 3, H);
        EACH(s)
        {
            float v = get(s.a, before, place(s.a, c, y, x, H, W)) + proj_b[c];

            for (i = 0; i < NIN; i++) v += proj_w[c * NIN + i] * in[(i * H + y) * W + x];
            close_enough(s.a, get(s.a, act, place(s.a, c, y, x, H, W)), v, 30);
            close_enough(s.a, get(s.a, out, place(s.a, c, y, x, H, W)),
                         relu(s.scale[c] * v + s.shift[c]), s.a.bf16 ? 2e5f : 60);
        }

        lp_ops_output(s.a, got, NOUT, before, H, W, out_w, out_b, s.scale, s.shift, 0, 1);
        lp_ops_output(s.a, got, NOUT, before, H, W, out_w, out_b, s.scale, s.shift, 1, H);
        for (o = 0; o < NOUT; o++)
            for (y = 0; y < H; y++)
                for (x = 0; x < W; x++) {
                    double v = out_b[o];

                    for (c = 0; c < s.C; c++)
                        v += out_w[o * s.C + c] *
                             (double)relu(s.scale[c] * get(s.a, before, place(s.a, c, y, x, H, W)) +
                                          s.shift[c]);
                    LP_ASSERT_CLOSE(got[(o * H + y) * W + x], v, 1e-4, 0);
                }

        lp_ops_style(s.a, style, before, H, W);
        EACH(s) sum[c] += get(s.a, before, place(s.a, c, y, x, H, W));
        for (c = 0; c < s.C; c++) len += sum[c] * sum[c];
        for (c = 0; c < s.C; c++) LP_ASSERT_CLOSE(style[c], sum[c] / sqrt(len), 1e-5, 0);
        free(act);
        free(before);
        free(out);
        free(nhwc);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(bn_relu),         cmocka_unit_test(pool),
        cmocka_unit_test(up_and_add),      cmocka_unit_test(rounding),
        cmocka_unit_test(ends_of_the_net),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
