#include "cudnn_calls_cuda.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/bf16.h"
#include "../kernels/conv_steps.h"

static const struct {
    const char *name;
    size_t at;
} table[] = {
#define F(name)                                                                                    \
    {                                                                                              \
        "cudnn" #name, offsetof(lp_cudnn_functions, name)                                          \
    }
    F(GetVersion),
    F(GetErrorString),
    F(Create),
    F(Destroy),
    F(SetStream),
    F(CreateTensorDescriptor),
    F(DestroyTensorDescriptor),
    F(SetTensor4dDescriptor),
    F(CreateFilterDescriptor),
    F(DestroyFilterDescriptor),
    F(SetFilter4dDescriptor),
    F(CreateConvolutionDescriptor),
    F(DestroyConvolutionDescriptor),
    F(SetConvolution2dDescriptor),
    F(SetConvolutionMathType),
    F(GetConvolutionForwardAlgorithm_v7),
    F(GetConvolutionForwardWorkspaceSize),
    F(ConvolutionForward),
    F(GetConvolutionBackwardDataAlgorithm_v7),
    F(GetConvolutionBackwardDataWorkspaceSize),
    F(ConvolutionBackwardData),
    F(GetConvolutionBackwardFilterAlgorithm_v7),
    F(GetConvolutionBackwardFilterWorkspaceSize),
    F(ConvolutionBackwardFilter),
#undef F
};

void lp_cudnn_close(lp_cudnn **pc)
{
    lp_cudnn *c = pc ? *pc : NULL;

    if (!c) return;
    if (c->handle) c->f.Destroy(c->handle);
    /* The library stays: it has threads and memory of its own. */
    free(c);
    *pc = NULL;
}

lp_status lp_cudnn_open_for(const char *library, const char *what, const char *instead,
                            lp_cudnn **out, lp_err *err)
{
    lp_cudnn *c = calloc(1, sizeof *c);
    lp_status st = LP_OK;
    size_t i;
    int e;

    if (!c) return lp_fail_mem(err, "cuDNN", sizeof *c);
    if (!(c->library = dlopen(library, RTLD_NOW | RTLD_LOCAL))) {
        st = lp_fail(err, LP_EMISSING,
                     "%s: %s; install cuDNN 9 (NVIDIA's package libcudnn9-cuda-13), or %s", what,
                     dlerror(), instead);
        goto done;
    }
    for (i = 0; i < sizeof table / sizeof *table; i++) {
        void *f = dlsym(c->library, table[i].name);

        if (!f) {
            st = lp_fail(
                err, LP_EMISSING,
                "%s: %s has no %s; install cuDNN 9 (NVIDIA's package libcudnn9-cuda-13), or %s",
                what, library, table[i].name, instead);
            goto done;
        }
        memcpy((char *)&c->f + table[i].at, &f, sizeof f);
    }
    if ((e = c->f.Create(&c->handle))) {
        c->handle = NULL;
        st = lp_fail(err, LP_EMISSING, "%s: %s: %s; %s", what, library, c->f.GetErrorString(e),
                     instead);
        goto done;
    }
    *out = c;
    c = NULL;
done:
    lp_cudnn_close(&c);
    return st;
}

lp_status lp_cudnn_open(const char *library, lp_cudnn **out, lp_err *err)
{
    return lp_cudnn_open_for(library, "--conv cudnn", "leave --conv out for our own kernels", out,
                             err);
}

int lp_cudnn_version(const lp_cudnn *c)
{
    return (int)c->f.GetVersion();
}

const char *lp_cudnn_error(const lp_cudnn *c)
{
    return c->error;
}

size_t lp_cudnn_packed(int cin, int cout, int taps, int bf16)
{
    return (size_t)lp_conv_pad(cin) * lp_conv_pad(cout) * taps * (bf16 ? 2 : 4);
}

void lp_cudnn_pack(void *out, const float *k, int cin, int cout, int taps, int bf16)
{
    int ci = lp_conv_pad(cin), o, i, t;

    memset(out, 0, lp_cudnn_packed(cin, cout, taps, bf16));
    for (o = 0; o < cout; o++)
        for (i = 0; i < cin; i++)
            for (t = 0; t < taps; t++) {
                float v = k[((size_t)o * cin + i) * taps + t];
                size_t at = ((size_t)o * taps + t) * ci + i;

                if (bf16)
                    ((uint16_t *)out)[at] = lp_bf16_from(v);
                else
                    ((float *)out)[at] = v;
            }
}

int lp_cudnn_failed(lp_cudnn *h, int status, const char *what)
{
    snprintf(h->error, sizeof h->error, "cuDNN: %s: %s", what, h->f.GetErrorString(status));
    return -1;
}

/* What cuDNN would take, best first. */
static int offers(lp_cudnn *h, const lp_cudnn_shape *s, int way, int *n, lp_cudnn_perf *p)
{
    const lp_cudnn_functions *f = &h->f;

    if (way == LP_CUDNN_FORWARD)
        return f->GetConvolutionForwardAlgorithm_v7(h->handle, s->x, s->k, s->conv, s->y,
                                                    LP_CUDNN_MAX_ALGOS, n, p);
    if (way == LP_CUDNN_DATA)
        return f->GetConvolutionBackwardDataAlgorithm_v7(h->handle, s->k, s->y, s->conv, s->x,
                                                         LP_CUDNN_MAX_ALGOS, n, p);
    return f->GetConvolutionBackwardFilterAlgorithm_v7(h->handle, s->x, s->y, s->conv, s->k,
                                                       LP_CUDNN_MAX_ALGOS, n, p);
}

static int needs(lp_cudnn *h, const lp_cudnn_shape *s, int way, int algo, size_t *bytes)
{
    const lp_cudnn_functions *f = &h->f;

    if (way == LP_CUDNN_FORWARD)
        return f->GetConvolutionForwardWorkspaceSize(h->handle, s->x, s->k, s->conv, s->y, algo,
                                                     bytes);
    if (way == LP_CUDNN_DATA)
        return f->GetConvolutionBackwardDataWorkspaceSize(h->handle, s->k, s->y, s->conv, s->x,
                                                          algo, bytes);
    return f->GetConvolutionBackwardFilterWorkspaceSize(h->handle, s->x, s->y, s->conv, s->k, algo,
                                                        bytes);
}

int lp_cudnn_choose(lp_cudnn *h, const lp_cudnn_shape *s, int way, size_t most, int *algo,
                    size_t *work)
{
    lp_cudnn_perf p[LP_CUDNN_MAX_ALGOS];
    int n = 0, i, e = offers(h, s, way, &n, p);

    *algo = -1;
    for (i = 0; i < n && !e; i++) {
        size_t bytes = 0;

        if (p[i].status || p[i].determinism != LP_CUDNN_DETERMINISTIC ||
            needs(h, s, way, p[i].algo, &bytes) || bytes > most)
            continue;
        *algo = p[i].algo;
        *work = bytes;
        break;
    }
    return e;
}

int lp_cudnn_shape_make(lp_cudnn *h, lp_cudnn_shape *s, int n, int height, int width, int cin,
                        int cout, int taps, int bf16)
{
    const lp_cudnn_functions *f = &h->f;
    int side = taps == 9 ? 3 : 1, pad = side / 2;
    int type = bf16 ? LP_CUDNN_DATA_BFLOAT16 : LP_CUDNN_DATA_FLOAT, e;

    if ((e = f->CreateTensorDescriptor(&s->x)) || (e = f->CreateTensorDescriptor(&s->y)) ||
        (e = f->CreateFilterDescriptor(&s->k)) || (e = f->CreateConvolutionDescriptor(&s->conv)) ||
        (e = f->SetTensor4dDescriptor(s->x, LP_CUDNN_TENSOR_NHWC, type, n, cin, height, width)) ||
        (e = f->SetTensor4dDescriptor(s->y, LP_CUDNN_TENSOR_NHWC, type, n, cout, height, width)) ||
        (e = f->SetFilter4dDescriptor(s->k, type, LP_CUDNN_TENSOR_NHWC, cout, cin, side, side)) ||
        (e = f->SetConvolution2dDescriptor(s->conv, pad, pad, 1, 1, 1, 1,
                                           LP_CUDNN_CROSS_CORRELATION, LP_CUDNN_DATA_FLOAT)))
        return e;
    return f->SetConvolutionMathType(s->conv, bf16 ? LP_CUDNN_TENSOR_OP_MATH : LP_CUDNN_FMA_MATH);
}

void lp_cudnn_shape_drop(lp_cudnn *h, lp_cudnn_shape *s)
{
    if (s->conv) h->f.DestroyConvolutionDescriptor(s->conv);
    if (s->k) h->f.DestroyFilterDescriptor(s->k);
    if (s->y) h->f.DestroyTensorDescriptor(s->y);
    if (s->x) h->f.DestroyTensorDescriptor(s->x);
    *s = (lp_cudnn_shape){0};
}

int lp_cudnn_sum(lp_cudnn *h, int n, int height, int width, int cin, int cout, int taps, int bf16,
                 const void *d_x, const void *d_k, int add, void *d_y, void *d_work,
                 lp_stream stream)
{
    const lp_cudnn_functions *f = &h->f;
    float alpha = 1, beta = add ? 1 : 0;
    lp_cudnn_shape s = {0};
    int e, algo, rc = 0;
    size_t work;

    if ((e = f->SetStream(h->handle, stream)) ||
        (e = lp_cudnn_shape_make(h, &s, n, height, width, cin, cout, taps, bf16)) ||
        (e = lp_cudnn_choose(h, &s, LP_CUDNN_FORWARD, LP_CUDNN_WORK, &algo, &work))) {
        rc = lp_cudnn_failed(h, e, "setting up a convolution");
        goto done;
    }
    if (algo < 0) {
        snprintf(h->error, sizeof h->error, "cuDNN: no way to compute %d to %d channels", cin,
                 cout);
        rc = -1;
        goto done;
    }
    if ((e = f->ConvolutionForward(h->handle, &alpha, s.x, d_x, s.k, d_k, s.conv, algo, d_work,
                                   LP_CUDNN_WORK, &beta, s.y, d_y)))
        rc = lp_cudnn_failed(h, e, "convolution");
done:
    lp_cudnn_shape_drop(h, &s);
    return rc;
}

/* Bytes of an activation of c's size, a multiple of 256. */
static size_t bytes_of(const lp_conv_call *c, int channels, int bf16)
{
    size_t bytes = (size_t)c->n * c->h * c->w * channels * (bf16 ? 2 : 4);

    return (bytes + 255) / 256 * 256;
}

/* Scratch: what goes into a convolution, the sums, cuDNN's own. */
static size_t input_bytes(const lp_conv_call *c, int bf16)
{
    return bytes_of(c, c->p && c->cp > c->cin ? c->cp : c->cin, bf16);
}

size_t lp_cudnn_scratch(const lp_conv_call *c, int bf16)
{
    return input_bytes(c, bf16) + bytes_of(c, c->cout, bf16) + LP_CUDNN_WORK;
}

int lp_cudnn_conv(lp_cudnn *h, const lp_conv_call *c, int bf16, void *d_scratch, lp_stream stream)
{
    unsigned char *d_in = d_scratch, *d_sum = d_in + input_bytes(c, bf16);
    unsigned char *d_work = d_sum + bytes_of(c, c->cout, bf16);
    lp_conv_call p = {.n = c->n, .h = c->h, .w = c->w, .x = c->p, .cin = c->cp, .up = c->p_up};
    const void *in = c->x;
    int e;

    if (c->scale || c->up) {
        if ((e = lp_conv_before_cuda(d_in, c, bf16, stream))) return e;
        in = d_in;
    }
    if ((e = lp_cudnn_sum(h, c->n, c->h, c->w, c->cin, c->cout, 9, bf16, in, c->k, 0, d_sum, d_work,
                          stream)))
        return e;
    if (c->p) {
        in = c->p;
        if (c->p_up) {
            if ((e = lp_conv_before_cuda(d_in, &p, bf16, stream))) return e;
            in = d_in;
        }
        if ((e = lp_cudnn_sum(h, c->n, c->h, c->w, c->cp, c->cout, 1, bf16, in, c->pk, 1, d_sum,
                              d_work, stream)))
            return e;
    }
    return lp_conv_after_cuda(c, d_sum, bf16, stream);
}
