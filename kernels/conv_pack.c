#include "conv.h"

#include <string.h>

#include "bf16.h"

/* Output channels that a block of the kernel computes: conv.cu, conv_up.cu, conv_f32.cu. */
static int block_of(int cout, int taps, int bf16)
{
    return bf16 && taps != 16 && cout % 64 == 0 ? 64 : 32;
}

static int padded_blocks(int cout, int nb)
{
    return (cout + nb - 1) / nb;
}

/* Place of weight (o, i, tap) among the elements. bf16: [block][chunk][tap][16 channels out]
 * [lane][4 registers][2], operand B of mma.m16n8k16 twice; float32: [block][chunk][tap][in][out].
 * cin and cout are padded. */
static size_t place(int cin, int cout, int taps, int bf16, int o, int i, int tap)
{
    int nb = block_of(cout, taps, bf16), on = o % nb, in = i % 16;
    size_t at = ((size_t)(o / nb) * (cin / 16) + i / 16) * taps + tap;

    if (!bf16) return (at * 16 + in) * nb + on;
    return ((at * (nb / 16) + on / 16) * 32 + (on & 7) * 4 + (in & 7) / 2) * 8 + (on / 8 & 1) * 4 +
           in / 8 * 2 + (in & 1);
}

float lp_conv_up_weight(const float *k, int tap)
{
    /* Rows (or columns) of the 3x3 that meet a source row: position 0: one, two; position 1: two,
     * one. */
    static const int first[4] = {0, 1, 0, 2}, n[4] = {1, 2, 2, 1};
    int ty = tap >> 3 << 1 | (tap >> 1 & 1), tx = (tap >> 2 & 1) << 1 | (tap & 1), y, x;
    float sum = 0;

    for (y = first[ty]; y < first[ty] + n[ty]; y++)
        for (x = first[tx]; x < first[tx] + n[tx]; x++) sum += k[y * 3 + x];
    return sum;
}

size_t lp_conv_packed(int cin, int cout, int taps, int bf16)
{
    int nb = block_of(lp_conv_pad(cout), taps, bf16);

    return (size_t)padded_blocks(lp_conv_pad(cout), nb) * nb * lp_conv_pad(cin) * taps *
           (bf16 ? 2 : 4);
}

void lp_conv_pack(void *out, const float *k, int cin, int cout, int taps, int bf16)
{
    int ci = lp_conv_pad(cin), co = lp_conv_pad(cout), o, i, t;

    memset(out, 0, lp_conv_packed(cin, cout, taps, bf16));
    for (o = 0; o < cout; o++)
        for (i = 0; i < cin; i++)
            for (t = 0; t < taps; t++) {
                const float *w = k + ((size_t)o * cin + i) * (taps == 1 ? 1 : 9);
                float v = taps == 16 ? lp_conv_up_weight(w, t) : w[t];
                size_t at = place(ci, co, taps, bf16, o, i, t);

                if (bf16)
                    ((uint16_t *)out)[at] = lp_bf16_from(v);
                else
                    ((float *)out)[at] = v;
            }
}

float lp_conv_weight(const void *packed, int cin, int cout, int taps, int bf16, int o, int i,
                     int tap)
{
    size_t at = place(cin, cout, taps, bf16, o, i, tap);

    return bf16 ? lp_bf16_to(((const uint16_t *)packed)[at]) : ((const float *)packed)[at];
}
