/* spans_cuda - how long a stream works on what: events before and after, read later.
 *
 * A span is the time that passes on the device; what other streams do meanwhile is in it. */
#ifndef LP_SPANS_CUDA_H
#define LP_SPANS_CUDA_H

#include "card_cuda.h"

#define LP_SPANS 64 /* that may be open to be read; then the oldest is waited for */
#define LP_SPAN_KINDS 4

typedef struct {
    struct {
        cudaEvent_t from, to;
        int kind;
    } span[LP_SPANS];
    lp_card *card; /* is told of them; set by the owner */
    int first, n;
    double seconds[LP_SPAN_KINDS]; /* of those that were read */
} lp_spans;                        /* begins zeroed but for card; one thread at a time */

/* All return 0 or a cudaError_t. A span that was begun and not ended counts for nothing. */
int lp_spans_begin(lp_spans *s, cudaStream_t stream);
int lp_spans_end(lp_spans *s, int kind, cudaStream_t stream);
/* Reads all, and waits for them, or with wait 0 only those that are over. */
int lp_spans_read(lp_spans *s, int wait);
void lp_spans_free(lp_spans *s);

#endif
