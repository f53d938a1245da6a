#include "normalize.h"

#include <string.h>

#include "normalize_rank.h"

/* Radix select from the top bits down. Each pass counts the next digit of the keys that share
 * their higher digits (the prefix) with a wanted rank: one prefix in the first pass, at most
 * four later. Two wide digits walk a large image least often; three narrow ones spare a small
 * block the clearing of large tables. */
#define WANTED 4
#define SMALL (1 << 18)
#define MAX_BINS 65536

size_t lp_percentile_scratch(int nthreads)
{
    return (size_t)nthreads * WANTED * MAX_BINS * sizeof(uint32_t);
}

typedef struct {
    uint64_t prefix[WANTED]; /* distinct, rising; an unused one is larger than any key */
    int n;
    int shift, bits; /* the digit that this pass counts */
} pass;

/* hist [nthreads][n prefixes][bins] */
static void count(uint32_t *hist, const pass *s, const float *in, const lp_window *w, int nthreads)
{
    int bits = s->bits, shift = s->shift, i;
    size_t bins = (size_t)1 << bits;
    uint32_t mask = (uint32_t)bins - 1;
    uint64_t p0 = s->prefix[0], p1 = s->prefix[1], p2 = s->prefix[2], p3 = s->prefix[3];

#pragma omp parallel for schedule(static) num_threads(nthreads)
    for (i = 0; i < nthreads; i++) {
        int64_t rows = (w->Ly + w->sy - 1) / w->sy, r = rows * i / nthreads;
        int64_t end = rows * (i + 1) / nthreads, x;
        uint32_t *h0 = hist + (size_t)i * (size_t)s->n * bins, *h1 = h0 + bins;
        uint32_t *h2 = h1 + bins, *h3 = h2 + bins;

        memset(h0, 0, (size_t)s->n * bins * sizeof *h0);
        for (; r < end; r++) {
            const float *row = in + r * w->sy * w->stride;

            for (x = 0; x < w->Lx; x += w->sx) {
                uint32_t u, digit;
                uint64_t key, p;

                memcpy(&u, row + x, sizeof u);
                key = lp_rank_key(u);
                digit = (uint32_t)(key >> shift) & mask;
                p = key >> shift >> bits;
                if (p == p0)
                    h0[digit]++;
                else if (p == p1)
                    h1[digit]++;
                else if (p == p2)
                    h2[digit]++;
                else if (p == p3)
                    h3[digit]++;
            }
        }
    }
}

/* Bin in which rank *k lies, summed over the threads' tables, which are stride apart;
 * *k becomes the rank within it. */
static uint32_t find_bin(const uint32_t *hist, size_t stride, int nthreads, uint32_t bins,
                         int64_t *k)
{
    uint32_t b;

    for (b = 0; b < bins - 1; b++) {
        int64_t n = 0;
        int i;

        for (i = 0; i < nthreads; i++) n += hist[(size_t)i * stride + b];
        if (*k < n) break;
        *k -= n;
    }
    return b;
}

void lp_percentile_cpu(float out[2], const float *in, const lp_window *w, const double p[2],
                       int nthreads, void *scratch)
{
    static const int wide[] = {16, 16, 0}, narrow[] = {11, 11, 10, 0};
    int64_t n = (int64_t)((w->Ly + w->sy - 1) / w->sy) * ((w->Lx + w->sx - 1) / w->sx);
    const int *bits = n < SMALL ? narrow : wide;
    lp_rank r[2] = {lp_rank_of(p[0], n), lp_rank_of(p[1], n)};
    int64_t k[WANTED] = {r[0].k[0], r[0].k[1], r[1].k[0], r[1].k[1]};
    uint64_t key[WANTED] = {0};
    float v[WANTED];
    pass s = {.shift = 32};
    int i;

    for (; *bits; bits++) {
        int slot[WANTED];
        uint32_t bins = 1u << *bits;

        s.bits = *bits;
        s.shift -= s.bits;
        /* Ranks rise, so equal prefixes follow each other. */
        for (s.n = 0, i = 0; i < WANTED; i++) {
            if (!s.n || s.prefix[s.n - 1] != key[i]) s.prefix[s.n++] = key[i];
            slot[i] = s.n - 1;
        }
        for (i = s.n; i < WANTED; i++) s.prefix[i] = UINT64_MAX;
        count(scratch, &s, in, w, nthreads);
        for (i = 0; i < WANTED; i++)
            key[i] = key[i] << s.bits | find_bin((uint32_t *)scratch + (size_t)slot[i] * bins,
                                                 (size_t)s.n * bins, nthreads, bins, &k[i]);
    }
    for (i = 0; i < WANTED; i++) {
        uint32_t u = lp_rank_bits((uint32_t)key[i]);

        memcpy(&v[i], &u, sizeof u);
    }
    for (i = 0; i < 2; i++) out[i] = lp_rank_lerp(v[2 * i], v[2 * i + 1], r[i].t);
}
