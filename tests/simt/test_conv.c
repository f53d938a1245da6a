/* lp_conv_cuda against its twin: the same bits in float32; in bfloat16 what the order of the tensor
 * cores' sums leaves open. */
#include "../lp_test.h"
#include "simt_test.h"

#include "kernels/bf16.h"
#include "kernels/conv.h"

/* What a case has beside the convolution itself. */
enum {
    PRO = 1,
    PER_TILE = 2,
    RELU = 4,
    RES = 8,
    AFFINE = 16,
    POOL = 32,
    IMG = 64,
    UP = 128,
    PROJ = 256,
    P_UP = 512,
    IN_PLACE = 1024,
    OUT = 2048
};

#define NOUT 3

typedef struct {
    int n, h, w, cin, cout, cp, what;
} shape;

/* The shapes of the U-Net's blocks, small; odd sizes; channels that fill no block; both heights
 * of a block with rows to spare. */
static const shape shapes[] = {
    {1, 1, 1, 16, 16, 0, 0},
    {1, 1, 1, 16, 16, 0, PRO | RELU},
    {2, 7, 13, 16, 32, 0, PRO | RELU},
    {1, 15, 17, 48, 80, 0, PRO | RELU | RES},
    {2, 28, 28, 32, 32, 0, RES | IN_PLACE | POOL},
    {1, 30, 34, 32, 32, 0, IMG},
    {1, 16, 18, 32, 64, 0, PRO | RELU},
    {2, 14, 16, 64, 64, 32, PROJ},
    {1, 14, 22, 64, 64, 0, RES | IN_PLACE | POOL},
    {2, 16, 12, 64, 32, 0, UP | PRO | RES | AFFINE | PER_TILE | RELU},
    {2, 16, 12, 32, 32, 64, PROJ | P_UP},
    {1, 34, 12, 32, 32, 80, PROJ | P_UP},
    {2, 4, 6, 128, 64, 0, UP | PRO | POOL},
    {2, 16, 12, 32, 32, 0, PRO | PER_TILE | RELU},
    {1, 3, 5, 128, 128, 64, PROJ},
    {1, 56, 20, 16, 16, 16, PRO | RELU | RES | AFFINE | POOL | IMG | PROJ | P_UP},
    {1, 14, 36, 48, 48, 0, UP},
    {2, 30, 18, 32, 32, 0, RES | OUT},
    {1, 7, 13, 16, 16, 0, PRO | OUT | RELU},
    {1, 26, 34, 16, 16, 0, UP | PRO | POOL | IMG | RES},
};

static uint32_t seed;
static float noise(void)
{
    seed = seed * 1664525u + 1013904223u;
    return (float)(seed >> 8) / (1 << 23) - 1;
}

static float *floats(size_t n, float size)
{
    float *p = malloc(n * sizeof *p);
    size_t i;

    assert_non_null(p);
    for (i = 0; i < n; i++) p[i] = size * noise();
    return p;
}

/* n elements, the last of them at the end of the memory. */
static void *activation(size_t n, int bf16)
{
    float *f = floats(n, 2);
    uint16_t *b = (uint16_t *)f;
    size_t i;

    if (!bf16) return f;
    b = malloc(n * sizeof *b);
    assert_non_null(b);
    for (i = 0; i < n; i++) b[i] = lp_bf16_from(f[i]);
    free(f);
    return b;
}

static void *packed(int cin, int cout, int taps, int bf16)
{
    float *k = floats((size_t)cin * cout * 9, 1 / sqrtf((float)(cin * 9)));
    void *p = malloc(lp_conv_packed(cin, cout, taps, bf16));

    assert_non_null(p);
    lp_conv_pack(p, k, cin, cout, taps, bf16);
    free(k);
    return p;
}

/* A unit in the last of bfloat16's 8 bits where a sum lies near the middle between two values, and
 * float32 rounding of a few hundred summands of size 1: a GPU cuts off the sums of 16 products
 * instead, 80 times 2^-23 of values up to 4. */
static void same(const shape *s, const void *got, const void *ref, size_t n, int bf16)
{
    size_t i;

    if (!bf16) {
        for (i = 0; i < n; i++)
            if (memcmp((const float *)got + i, (const float *)ref + i, 4))
                fail_msg("%d x %d, %d to %d, %d: [%zu] = %.9g, expected %.9g", s->h, s->w, s->cin,
                         s->cout, s->what, i, ((const float *)got)[i], ((const float *)ref)[i]);
        return;
    }
    for (i = 0; i < n; i++) {
        float a = lp_bf16_to(((const uint16_t *)got)[i]);
        float b = lp_bf16_to(((const uint16_t *)ref)[i]);

        if (!(fabsf(a - b) <= fabsf(b) / 128 + 4e-5f))
            fail_msg("%d x %d, %d to %d, %d: [%zu] = %.9g, expected %.9g", s->h, s->w, s->cin,
                     s->cout, s->what, i, a, b);
    }
}

/* 32 products of size 1 of values that are off by float32 rounding. */
static void same_out(const shape *s, const float *got, const float *ref, size_t n, int bf16)
{
    size_t i;

    for (i = 0; i < n; i++)
        if (!(fabsf(got[i] - ref[i]) <= (bf16 ? 1e-4f : 0)))
            fail_msg("%d x %d, %d to %d, %d: out [%zu] = %.9g, expected %.9g", s->h, s->w, s->cin,
                     s->cout, s->what, i, got[i], ref[i]);
}

static void one(const shape *s, int bf16)
{
    static const int rows[3] = {0, 4, 7};
    size_t px = (size_t)s->n * s->h * s->w, ny = px * s->cout, elem = bf16 ? 2 : 4;
    size_t nb = (size_t)s->n * s->cout;
    lp_conv_call c = {.n = s->n, .h = s->h, .w = s->w, .cin = s->cin, .cout = s->cout};
    int per_tile = !!(s->what & PER_TILE), up = !!(s->what & UP);
    void *x, *k, *p = NULL, *pk = NULL, *res = NULL, *y, *ref, *pool, *ref_pool;
    float *out_k = floats((size_t)NOUT * s->cout, 1), *out_b = floats(NOUT, 1);
    float *out = lp_guard_new(px * NOUT), *ref_out = lp_guard_new(px * NOUT);
    float *scale, *shift, *b, *img = NULL, *img_k = NULL, *scale2, *shift2;

    seed = 7;
    c.up = up;
    c.x = x = activation(px * s->cin >> 2 * up, bf16);
    c.k = k = packed(s->cin, s->cout, lp_conv_taps(up, bf16), bf16);
    scale = floats((size_t)s->cin, 1);
    shift = floats((size_t)s->n * s->cin, 1);
    c.b = b = floats(nb, 1);
    scale2 = floats((size_t)s->cout, 1);
    shift2 = floats(nb, 1);
    if (s->what & PRO) {
        c.scale = scale;
        c.shift = shift;
        c.shift_stride = per_tile * s->cin;
    }
    c.b_stride = per_tile * s->cout;
    if (s->what & AFFINE) {
        c.scale2 = scale2;
        c.shift2 = shift2;
        c.shift2_stride = per_tile * s->cout;
    }
    if (s->what & PROJ) {
        c.p_up = !!(s->what & P_UP);
        c.cp = s->cp;
        c.p = p = activation(px * s->cp >> 2 * c.p_up, bf16);
        c.pk = pk = packed(s->cp, s->cout, 1, bf16);
    }
    if (s->what & IMG) {
        c.nimg = 2;
        c.img = img = floats(px * 2, 1);
        c.img_k = img_k = floats((size_t)2 * s->cout, 1);
    }
    if (s->what & RES) c.res = res = activation(ny, bf16);
    c.relu = !!(s->what & RELU);
    y = malloc(ny * elem);
    ref = malloc(ny * elem);
    pool = malloc(ny / 4 * elem + 1);
    ref_pool = malloc(ny / 4 * elem + 1);
    assert_true(y && ref && pool && ref_pool);

    c.nout = NOUT;
    c.out_scale = scale2;
    c.out_shift = shift2;
    c.out_k = out_k;
    c.out_b = out_b;
    c.out = s->what & OUT ? ref_out : NULL;
    c.y = c.out ? NULL : ref;
    c.pool = s->what & POOL ? ref_pool : NULL;
    lp_conv_ref(&c, bf16);
    SIMT_SEEDS(t)
    {
        c.rows = bf16 ? rows[t % 3] : 0;
        c.out = s->what & OUT ? out : NULL;
        c.y = c.out ? NULL : y;
        c.pool = s->what & POOL ? pool : NULL;
        memset(y, 0xff, ny * elem);
        if (s->what & IN_PLACE) c.res = memcpy(y, res, ny * elem);
        assert_int_equal(lp_conv_cuda(&c, bf16, NULL), 0);
        lp_guard_check(out, px * NOUT);
        if (c.out)
            same_out(s, out, ref_out, px * NOUT, bf16);
        else
            same(s, y, ref, ny, bf16);
        if (c.pool) same(s, pool, ref_pool, ny / 4, bf16);
    }
    free(x);
    free(k);
    free(scale);
    free(shift);
    free(b);
    free(p);
    free(pk);
    free(img);
    free(img_k);
    free(res);
    free(scale2);
    free(shift2);
    free(y);
    free(ref);
    free(pool);
    free(ref_pool);
    free(out_k);
    free(out_b);
    lp_guard_free(out);
    lp_guard_free(ref_out);
}

static void fp32(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof shapes / sizeof *shapes; i++) one(&shapes[i], 0);
}

static void bf16(void **state)
{
    size_t i;

    (void)state;
    for (i = 0; i < sizeof shapes / sizeof *shapes; i++) one(&shapes[i], 1);
    assert_int_equal(simt_bank_conflicts(), 0);
}

/* Every weight is where the twin finds it, and what fills up is zero. */
static void packs(void **state)
{
    static const int sizes[][3] = {{16, 16, 9}, {6, 12, 9},  {64, 128, 9}, {20, 40, 1},
                                   {32, 48, 9}, {6, 12, 16}, {32, 64, 16}};
    size_t i;
    int b, o, c, t;

    (void)state;
    for (i = 0; i < sizeof sizes / sizeof *sizes; i++)
        for (b = 0; b < 2; b++) {
            int cin = sizes[i][0], cout = sizes[i][1], taps = sizes[i][2], in = taps == 1 ? 1 : 9;
            int ci = lp_conv_pad(cin), co = lp_conv_pad(cout);
            float *k = floats((size_t)cin * cout * in, 1);
            void *p = malloc(lp_conv_packed(cin, cout, taps, b));

            assert_non_null(p);
            lp_conv_pack(p, k, cin, cout, taps, b);
            for (o = 0; o < co; o++)
                for (c = 0; c < ci; c++)
                    for (t = 0; t < taps; t++) {
                        const float *w = k + (o * cin + c) * in;
                        float want = 0;

                        if (o < cout && c < cin) want = taps == 16 ? lp_conv_up_weight(w, t) : w[t];
                        if (b) want = lp_bf16_to(lp_bf16_from(want));
                        assert_true(lp_conv_weight(p, ci, co, taps, b, o, c, t) == want);
                    }
            free(k);
            free(p);
        }
}

/* Along one axis, the four pairs of taps are the 3 taps as they meet a doubled row. */
static void halves(void **state)
{
    static const float k[9] = {1, 10, 100, 1000, 10000, 100000, 1e6f, 1e7f, 1e8f};
    int pos, y, x, t;

    (void)state;
    for (pos = 0; pos < 4; pos++) {
        float want[4] = {0}; /* by source pixel */

        for (y = 0; y < 3; y++)
            for (x = 0; x < 3; x++) {
                /* Output pixel (2 + pos / 2, 2 + pos % 2) is of source pixel (1, 1). */
                int sy = (2 + pos / 2 + y - 1) / 2 - (pos / 2);
                int sx = (2 + pos % 2 + x - 1) / 2 - (pos % 2);

                want[sy * 2 + sx] += k[y * 3 + x];
            }
        for (t = 0; t < 4; t++) assert_true(lp_conv_up_weight(k, pos * 4 + t) == want[t]);
    }
}

static void refuses(void **state)
{
    static const lp_conv_call bad[] = {
        {.n = 0, .h = 16, .w = 16, .cin = 16, .cout = 16},
        {.n = 65536, .h = 16, .w = 16, .cin = 16, .cout = 16},
        {.n = 1, .h = 0, .w = 16, .cin = 16, .cout = 16},
        {.n = 1, .h = 16, .w = 16, .cin = 20, .cout = 16},
        {.n = 1, .h = 16, .w = 16, .cin = 16, .cout = 0},
        {.n = 1, .h = 15, .w = 16, .cin = 16, .cout = 16, .up = 1},
        {.n = 1, .h = 16, .w = 16, .cin = 16, .cout = 16, .rows = 5},
    };
    size_t i;

    (void)state;
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        assert_int_not_equal(lp_conv_cuda(&bad[i], 0, NULL), 0);
        assert_int_not_equal(lp_conv_cuda(&bad[i], 1, NULL), 0);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(packs), cmocka_unit_test(halves), cmocka_unit_test(refuses),
        cmocka_unit_test(fp32),  cmocka_unit_test(bf16),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
