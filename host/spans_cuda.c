#include "spans_cuda.h"

#include <string.h>

static int read_oldest(lp_spans *s)
{
    float ms = 0;
    int e, k = s->first;

    if ((e = cudaEventSynchronize(s->span[k].to)) ||
        (e = cudaEventElapsedTime(&ms, s->span[k].from, s->span[k].to)) ||
        (e = lp_card_ran(s->card, s->span[k].from, ms / 1e3)))
        return e;
    s->seconds[s->span[k].kind] += ms / 1e3;
    s->first = (k + 1) % LP_SPANS;
    s->n--;
    return 0;
}

int lp_spans_begin(lp_spans *s, cudaStream_t stream)
{
    int k, e = 0;

    if (s->n == LP_SPANS && (e = read_oldest(s))) return e;
    k = (s->first + s->n) % LP_SPANS;
    if (!s->span[k].from) e = cudaEventCreateWithFlags(&s->span[k].from, cudaEventDefault);
    if (!e && !s->span[k].to) e = cudaEventCreateWithFlags(&s->span[k].to, cudaEventDefault);
    return e ? e : (int)cudaEventRecord(s->span[k].from, stream);
}

int lp_spans_end(lp_spans *s, int kind, cudaStream_t stream)
{
    int k = (s->first + s->n) % LP_SPANS, e;

    if ((e = cudaEventRecord(s->span[k].to, stream))) return e;
    s->span[k].kind = kind;
    s->n++;
    return 0;
}

int lp_spans_read(lp_spans *s, int wait)
{
    int e = 0;

    while (s->n && !e) {
        if (!wait && (e = cudaEventQuery(s->span[s->first].to))) break;
        e = read_oldest(s);
    }
    if (e != cudaErrorNotReady || wait) return e;
    cudaGetLastError(); /* or who asks for it next takes it for his own */
    return 0;
}

void lp_spans_free(lp_spans *s)
{
    int k;

    for (k = 0; k < LP_SPANS; k++) {
        if (s->span[k].from) cudaEventDestroy(s->span[k].from);
        if (s->span[k].to) cudaEventDestroy(s->span[k].to);
    }
    memset(s, 0, sizeof *s);
}
