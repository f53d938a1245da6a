#include "cudnn_train_cuda.h"

#include <stdlib.h>

#include "cudnn_calls_cuda.h"

#define MOST_WORK ((size_t)1 << 30) /* what an algorithm may need */

struct lp_cudnn_layer {
    lp_cudnn *h;
    lp_cudnn_shape s;
    int algo[LP_CUDNN_WAYS];
    size_t work[LP_CUDNN_WAYS];
};

void lp_cudnn_layer_free(lp_cudnn_layer **pl)
{
    lp_cudnn_layer *l = pl ? *pl : NULL;

    if (!l) return;
    lp_cudnn_shape_drop(l->h, &l->s);
    free(l);
    *pl = NULL;
}

lp_status lp_cudnn_layer_new(lp_cudnn *h, int n, int height, int width, int cin, int cout, int taps,
                             int bf16, lp_cudnn_layer **out, lp_err *err)
{
    static const char *const names[LP_CUDNN_WAYS] = {"", "'s gradient", "'s weights' gradient"};
    lp_cudnn_layer *l = calloc(1, sizeof *l);
    lp_status st = LP_OK;
    int e, way;

    if (!l) return lp_fail_mem(err, "cuDNN", sizeof *l);
    l->h = h;
    e = lp_cudnn_shape_make(h, &l->s, n, height, width, cin, cout, taps, bf16);
    for (way = 0; way < LP_CUDNN_WAYS && !e; way++) {
        if ((e = lp_cudnn_choose(h, &l->s, way, MOST_WORK, &l->algo[way], &l->work[way]))) break;
        if (l->algo[way] < 0) {
            st = lp_fail(err, LP_EIO,
                         "cuDNN: no way to compute a convolution%s, %d to %d channels, that is "
                         "the same each time; use --backend cpu",
                         names[way], cin, cout);
            goto done;
        }
    }
    if (e) {
        lp_cudnn_failed(h, e, "setting up a convolution");
        st = lp_fail(err, LP_EIO, "%s; use --backend cpu", lp_cudnn_error(h));
        goto done;
    }
    *out = l;
    l = NULL;
done:
    lp_cudnn_layer_free(&l);
    return st;
}

size_t lp_cudnn_layer_work(const lp_cudnn_layer *l)
{
    size_t most = 0;
    int way;

    for (way = 0; way < LP_CUDNN_WAYS; way++)
        if (l->work[way] > most) most = l->work[way];
    return most;
}

int lp_cudnn_layer_forward(lp_cudnn_layer *l, const void *d_x, const void *d_k, int add, void *d_y,
                           void *d_work, lp_stream stream)
{
    const lp_cudnn_functions *f = &l->h->f;
    float alpha = 1, beta = add ? 1 : 0;
    int e;

    if ((e = f->SetStream(l->h->handle, stream)) ||
        (e = f->ConvolutionForward(l->h->handle, &alpha, l->s.x, d_x, l->s.k, d_k, l->s.conv,
                                   l->algo[LP_CUDNN_FORWARD], d_work, l->work[LP_CUDNN_FORWARD],
                                   &beta, l->s.y, d_y)))
        return lp_cudnn_failed(l->h, e, "convolution");
    return 0;
}

int lp_cudnn_layer_data(lp_cudnn_layer *l, const void *d_dy, const void *d_k, void *d_dx,
                        void *d_work, lp_stream stream)
{
    const lp_cudnn_functions *f = &l->h->f;
    float alpha = 1, beta = 0;
    int e;

    if ((e = f->SetStream(l->h->handle, stream)) ||
        (e = f->ConvolutionBackwardData(l->h->handle, &alpha, l->s.k, d_k, l->s.y, d_dy, l->s.conv,
                                        l->algo[LP_CUDNN_DATA], d_work, l->work[LP_CUDNN_DATA],
                                        &beta, l->s.x, d_dx)))
        return lp_cudnn_failed(l->h, e, "gradient of a convolution");
    return 0;
}

int lp_cudnn_layer_filter(lp_cudnn_layer *l, const void *d_x, const void *d_dy, void *d_dk,
                          void *d_work, lp_stream stream)
{
    const lp_cudnn_functions *f = &l->h->f;
    float alpha = 1, beta = 0;
    int e;

    if ((e = f->SetStream(l->h->handle, stream)) ||
        (e = f->ConvolutionBackwardFilter(l->h->handle, &alpha, l->s.x, d_x, l->s.y, d_dy,
                                          l->s.conv, l->algo[LP_CUDNN_FILTER], d_work,
                                          l->work[LP_CUDNN_FILTER], &beta, l->s.k, d_dk)))
        return lp_cudnn_failed(l->h, e, "gradient of a convolution's weights");
    return 0;
}
