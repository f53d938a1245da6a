#include "seed_order.h"

#include <stdlib.h>

#include "sort.h"

/* From this size on torch sorts whole numbers by radix, which is stable. */
#define STABLE_FROM 32768
/* Shorter ranges are left to the insertion sort at the end. */
#define SHORT 16

static uint32_t count_of(uint64_t seed)
{
    return (uint32_t)(seed >> 32);
}

static void swap(uint64_t *a, uint64_t *b)
{
    uint64_t t = *a;

    *a = *b;
    *b = t;
}

/* Of a, b, c the one with the middle count changes places with *to. */
static void median_to(uint64_t *to, uint64_t *a, uint64_t *b, uint64_t *c)
{
    if (count_of(*a) < count_of(*b)) {
        if (count_of(*b) < count_of(*c))
            swap(to, b);
        else if (count_of(*a) < count_of(*c))
            swap(to, c);
        else
            swap(to, a);
    } else if (count_of(*a) < count_of(*c)) {
        swap(to, a);
    } else if (count_of(*b) < count_of(*c)) {
        swap(to, c);
    } else {
        swap(to, b);
    }
}

/* Splits first + 1 .. last - 1 around the count of *first; where the upper part begins. */
static uint64_t *split(uint64_t *first, uint64_t *last)
{
    uint32_t pivot;
    uint64_t *lo = first + 1, *hi = last;

    median_to(first, first + 1, first + (last - first) / 2, last - 1);
    pivot = count_of(*first);
    for (;;) {
        while (count_of(*lo) < pivot) lo++;
        hi--;
        while (pivot < count_of(*hi)) hi--;
        if (lo >= hi) return lo;
        swap(lo, hi);
        lo++;
    }
}

/* Quicksort until ranges are short. Gives up, with 0, where std::sort would turn to a heap. */
static int coarse(uint64_t *first, uint64_t *last, int depth)
{
    while (last - first > SHORT) {
        uint64_t *cut;

        if (depth-- == 0) return 0;
        cut = split(first, last);
        if (!coarse(cut, last, depth)) return 0;
        last = cut;
    }
    return 1;
}

static void insertion(uint64_t *seeds, uint32_t n)
{
    uint32_t i, k;

    for (i = 1; i < n; i++) {
        uint64_t s = seeds[i];

        for (k = i; k > 0 && count_of(s) < count_of(seeds[k - 1]); k--) seeds[k] = seeds[k - 1];
        seeds[k] = s;
    }
}

static int by_pixel(const void *a, const void *b)
{
    uint32_t x = (uint32_t) * (const uint64_t *)a, y = (uint32_t) * (const uint64_t *)b;

    return x < y ? -1 : x > y;
}

void lp_seed_order_cellpose3(uint64_t *seeds, uint32_t n)
{
    int depth = 0;
    uint32_t k;

    for (k = n; k > 1; k /= 2) depth += 2;
    qsort(seeds, n, sizeof *seeds, by_pixel); /* as torch.nonzero gives them */
    if (n < STABLE_FROM && coarse(seeds, seeds + n, depth))
        insertion(seeds, n);
    else
        qsort(seeds, n, sizeof *seeds, lp_by_u64);
}
