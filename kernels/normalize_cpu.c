#include "normalize.h"

#include <string.h>

#include "normalize_rank.h"

/* Keys are split into 16 high and 16 low bits: pass 1 counts the high halves, pass 2 the low
 * halves of the at most four high halves in which a wanted rank lies. */
#define BINS 65536
#define WANTED 4

size_t lp_percentile_scratch(int nthreads)
{
    return (size_t)nthreads * WANTED * BINS * sizeof(uint32_t);
}

static inline uint32_t key_at(const float *p)
{
    uint32_t bits;

    memcpy(&bits, p, sizeof bits);
    return lp_rank_key(bits);
}

static void count_high(uint32_t *hist, const float *in, const lp_window *w, int nthreads)
{
    int i;

#pragma omp parallel for schedule(static) num_threads(nthreads)
    for (i = 0; i < nthreads; i++) {
        int rows = (w->Ly + w->sy - 1) / w->sy, x;
        int r = (int)((int64_t)rows * i / nthreads),
            end = (int)((int64_t)rows * (i + 1) / nthreads);
        uint32_t *h = hist + (size_t)i * WANTED * BINS;

        memset(h, 0, BINS * sizeof *h);
        for (; r < end; r++) {
            const float *row = in + (int64_t)r * w->sy * w->stride;

            for (x = 0; x < w->Lx; x += w->sx) h[key_at(row + x) >> 16]++;
        }
    }
}

static void count_low(uint32_t *hist, const uint32_t high[WANTED], int n_high, const float *in,
                      const lp_window *w, int nthreads)
{
    int i;

#pragma omp parallel for schedule(static) num_threads(nthreads)
    for (i = 0; i < nthreads; i++) {
        int rows = (w->Ly + w->sy - 1) / w->sy, x;
        int r = (int)((int64_t)rows * i / nthreads),
            end = (int)((int64_t)rows * (i + 1) / nthreads);
        uint32_t *h = hist + (size_t)i * WANTED * BINS;
        uint32_t h0 = high[0], h1 = high[1], h2 = high[2], h3 = high[3];

        memset(h, 0, (size_t)n_high * BINS * sizeof *h);
        for (; r < end; r++) {
            const float *row = in + (int64_t)r * w->sy * w->stride;

            for (x = 0; x < w->Lx; x += w->sx) {
                uint32_t key = key_at(row + x), k = key >> 16;

                if (k == h0)
                    h[key & 0xffff]++;
                else if (k == h1)
                    h[BINS + (key & 0xffff)]++;
                else if (k == h2)
                    h[2 * BINS + (key & 0xffff)]++;
                else if (k == h3)
                    h[3 * BINS + (key & 0xffff)]++;
            }
        }
    }
}

/* Bin in which rank k lies, summed over the threads' histograms; *k becomes the rank within it. */
static uint32_t find_bin(const uint32_t *hist, int nthreads, int64_t *k)
{
    uint32_t b;

    for (b = 0; b < BINS - 1; b++) {
        int64_t n = 0;
        int i;

        for (i = 0; i < nthreads; i++) n += hist[(size_t)i * WANTED * BINS + b];
        if (*k < n) break;
        *k -= n;
    }
    return b;
}

void lp_percentile_cpu(float out[2], const float *in, const lp_window *w, const double p[2],
                       int nthreads, void *scratch)
{
    int64_t n = (int64_t)((w->Ly + w->sy - 1) / w->sy) * ((w->Lx + w->sx - 1) / w->sx);
    lp_rank r[2] = {lp_rank_of(p[0], n), lp_rank_of(p[1], n)};
    int64_t k[WANTED] = {r[0].k[0], r[0].k[1], r[1].k[0], r[1].k[1]};
    /* No key has a high half of BINS: an unused entry matches nothing. */
    uint32_t high[WANTED] = {BINS, BINS, BINS, BINS}, bits;
    uint32_t *hist = scratch;
    float v[WANTED];
    int i, slot[WANTED], n_high = 0;

    count_high(hist, in, w, nthreads);
    for (i = 0; i < WANTED; i++) {
        uint32_t h = find_bin(hist, nthreads, &k[i]);

        /* Ranks rise, so an equal high half was the last one found. */
        if (!n_high || high[n_high - 1] != h) high[n_high++] = h;
        slot[i] = n_high - 1;
    }
    count_low(hist, high, n_high, in, w, nthreads);
    for (i = 0; i < WANTED; i++) {
        bits = lp_rank_bits(high[slot[i]] << 16 |
                            find_bin(hist + (size_t)slot[i] * BINS, nthreads, &k[i]));
        memcpy(&v[i], &bits, sizeof bits);
    }
    for (i = 0; i < 2; i++) out[i] = lp_rank_lerp(v[2 * i], v[2 * i + 1], r[i].t);
}
