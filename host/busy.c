#include "busy.h"

#include <string.h>

/* Removes spans i .. j-1. */
static void cut(lp_busy *b, int i, int j)
{
    memmove(&b->span[i], &b->span[j], (size_t)(b->n - j) * sizeof b->span[0]);
    b->n -= j - i;
}

void lp_busy_add(lp_busy *b, double from, double to)
{
    int i = 0, j;

    if (from < b->horizon) from = b->horizon;
    if (!(to > from)) return;
    while (i < b->n && b->span[i].to < from) i++;
    for (j = i; j < b->n && b->span[j].from <= to; j++) {
        if (b->span[j].from < from) from = b->span[j].from;
        if (b->span[j].to > to) to = b->span[j].to;
    }
    cut(b, i, j);
    if (b->n == LP_BUSY_SPANS) {
        b->closed += b->span[0].to - b->span[0].from;
        b->horizon = b->span[0].to;
        cut(b, 0, 1);
        if (i) i--;
        if (from < b->horizon) from = b->horizon;
        if (!(to > from)) return;
    }
    memmove(&b->span[i + 1], &b->span[i], (size_t)(b->n - i) * sizeof b->span[0]);
    b->span[i].from = from;
    b->span[i].to = to;
    b->n++;
}

double lp_busy_total(const lp_busy *b)
{
    double sum = b->closed;
    int i;

    for (i = 0; i < b->n; i++) sum += b->span[i].to - b->span[i].from;
    return sum;
}
