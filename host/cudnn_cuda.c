#include "cudnn_cuda.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/bf16.h"
#include "../kernels/conv_steps.h"

/* Of cudnn_graph.h, cudnn_ops.h and cudnn_cnn.h, version 9: values, types and functions. */
enum {
    DATA_FLOAT = 0,
    DATA_BFLOAT16 = 9,
    TENSOR_NHWC = 1,
    CROSS_CORRELATION = 1,
    TENSOR_OP_MATH = 1,
    FMA_MATH = 3,
    DETERMINISTIC = 1,
    MAX_ALGOS = 8
};

typedef struct {
    int algo, status;
    float time;
    size_t memory;
    int determinism, math, reserved[3];
} perf;

typedef struct {
    size_t (*GetVersion)(void);
    const char *(*GetErrorString)(int status);
    int (*Create)(void **handle);
    int (*Destroy)(void *handle);
    int (*SetStream)(void *handle, lp_stream stream);
    int (*CreateTensorDescriptor)(void **d);
    int (*DestroyTensorDescriptor)(void *d);
    int (*SetTensor4dDescriptor)(void *d, int format, int type, int n, int c, int h, int w);
    int (*CreateFilterDescriptor)(void **d);
    int (*DestroyFilterDescriptor)(void *d);
    int (*SetFilter4dDescriptor)(void *d, int type, int format, int k, int c, int h, int w);
    int (*CreateConvolutionDescriptor)(void **d);
    int (*DestroyConvolutionDescriptor)(void *d);
    int (*SetConvolution2dDescriptor)(void *d, int pad_h, int pad_w, int u, int v, int dil_h,
                                      int dil_w, int mode, int type);
    int (*SetConvolutionMathType)(void *d, int math);
    int (*GetConvolutionForwardAlgorithm_v7)(void *handle, void *x, void *k, void *conv, void *y,
                                             int most, int *n, perf *p);
    int (*ConvolutionForward)(void *handle, const void *alpha, void *x, const void *d_x, void *k,
                              const void *d_k, void *conv, int algo, void *d_work, size_t bytes,
                              const void *beta, void *y, void *d_y);
} functions;

static const struct {
    const char *name;
    size_t at;
} table[] = {
#define F(name)                                                                                    \
    {                                                                                              \
        "cudnn" #name, offsetof(functions, name)                                                   \
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
    F(ConvolutionForward),
#undef F
};

struct lp_cudnn {
    void *library, *handle;
    functions f;
    char error[200];
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

lp_status lp_cudnn_open(const char *library, lp_cudnn **out, lp_err *err)
{
    lp_cudnn *c = calloc(1, sizeof *c);
    lp_status st = LP_OK;
    size_t i;
    int e;

    if (!c) return lp_fail_mem(err, "cuDNN", sizeof *c);
    if (!(c->library = dlopen(library, RTLD_NOW | RTLD_LOCAL))) {
        st = lp_fail(err, LP_EMISSING,
                     "--conv cudnn: %s; install cuDNN 9, or leave --conv out for our own kernels",
                     dlerror());
        goto done;
    }
    for (i = 0; i < sizeof table / sizeof *table; i++) {
        void *f = dlsym(c->library, table[i].name);

        if (!f) {
            st = lp_fail(err, LP_EMISSING,
                         "--conv cudnn: %s has no %s; cuDNN 9 is needed, or leave --conv out",
                         library, table[i].name);
            goto done;
        }
        memcpy((char *)&c->f + table[i].at, &f, sizeof f);
    }
    if ((e = c->f.Create(&c->handle))) {
        c->handle = NULL;
        st = lp_fail(err, LP_EMISSING, "--conv cudnn: %s: %s; leave --conv out", library,
                     c->f.GetErrorString(e));
        goto done;
    }
    *out = c;
    c = NULL;
done:
    lp_cudnn_close(&c);
    return st;
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

static int failed(lp_cudnn *h, int status, const char *what)
{
    snprintf(h->error, sizeof h->error, "cuDNN: %s: %s", what, h->f.GetErrorString(status));
    return -1;
}

/* The first choice that is the same every time and has room. */
static int choose(const perf *p, int n)
{
    int i;

    for (i = 0; i < n; i++)
        if (!p[i].status && p[i].determinism == DETERMINISTIC && p[i].memory <= LP_CUDNN_WORK)
            return p[i].algo;
    return -1;
}

int lp_cudnn_sum(lp_cudnn *h, int n, int height, int width, int cin, int cout, int taps, int bf16,
                 const void *d_x, const void *d_k, int add, void *d_y, void *d_work,
                 lp_stream stream)
{
    const functions *f = &h->f;
    int side = taps == 9 ? 3 : 1, pad = side / 2, type = bf16 ? DATA_BFLOAT16 : DATA_FLOAT;
    float alpha = 1, beta = add ? 1 : 0;
    void *x = NULL, *y = NULL, *k = NULL, *conv = NULL;
    perf p[MAX_ALGOS];
    int e, got = 0, algo, rc = 0;

    if ((e = f->SetStream(h->handle, stream)) || (e = f->CreateTensorDescriptor(&x)) ||
        (e = f->CreateTensorDescriptor(&y)) || (e = f->CreateFilterDescriptor(&k)) ||
        (e = f->CreateConvolutionDescriptor(&conv)) ||
        (e = f->SetTensor4dDescriptor(x, TENSOR_NHWC, type, n, cin, height, width)) ||
        (e = f->SetTensor4dDescriptor(y, TENSOR_NHWC, type, n, cout, height, width)) ||
        (e = f->SetFilter4dDescriptor(k, type, TENSOR_NHWC, cout, cin, side, side)) ||
        (e = f->SetConvolution2dDescriptor(conv, pad, pad, 1, 1, 1, 1, CROSS_CORRELATION,
                                           DATA_FLOAT)) ||
        (e = f->SetConvolutionMathType(conv, bf16 ? TENSOR_OP_MATH : FMA_MATH)) ||
        (e = f->GetConvolutionForwardAlgorithm_v7(h->handle, x, k, conv, y, MAX_ALGOS, &got, p))) {
        rc = failed(h, e, "setting up a convolution");
        goto done;
    }
    if ((algo = choose(p, got)) < 0) {
        snprintf(h->error, sizeof h->error, "cuDNN: no way to compute %d to %d channels", cin,
                 cout);
        rc = -1;
        goto done;
    }
    if ((e = f->ConvolutionForward(h->handle, &alpha, x, d_x, k, d_k, conv, algo, d_work,
                                   LP_CUDNN_WORK, &beta, y, d_y)))
        rc = failed(h, e, "convolution");
done:
    if (conv) f->DestroyConvolutionDescriptor(conv);
    if (k) f->DestroyFilterDescriptor(k);
    if (y) f->DestroyTensorDescriptor(y);
    if (x) f->DestroyTensorDescriptor(x);
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
