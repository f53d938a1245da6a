/* fake_cudnn - the functions of cuDNN 9 that host/cudnn_*cuda.c call, in plain C on host memory: a
 * library of its own that the tests load. It believes nothing: descriptors, layouts, workspace. */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "kernels/bf16.h"

enum { OK = 0, BAD = 2000, UNSUPPORTED = 3000, WORK = 4096, FLOATS = 0, BF16 = 9 };

/* What the test gives: does work in the order of a stream (simt_test.h, simt_queue). */
int (*fake_cudnn_queue)(void *stream, int (*run)(void *args), const void *args, size_t bytes);
/* Whether the one algorithm that is to be taken is there, and what Create returns. */
int fake_cudnn_without_algorithm, fake_cudnn_create, fake_cudnn_calls;

typedef struct {
    int type, format, d[4];
} shape;
typedef struct {
    int pad, type, math;
} convolution;
typedef struct {
    void *stream;
} context;

size_t cudnnGetVersion(void);
const char *cudnnGetErrorString(int status);
int cudnnCreate(void **handle);
int cudnnDestroy(void *handle);
int cudnnSetStream(void *handle, void *stream);
int cudnnCreateTensorDescriptor(void **d);
int cudnnDestroyTensorDescriptor(void *d);
int cudnnSetTensor4dDescriptor(void *d, int format, int type, int n, int c, int h, int w);
int cudnnCreateFilterDescriptor(void **d);
int cudnnDestroyFilterDescriptor(void *d);
int cudnnSetFilter4dDescriptor(void *d, int type, int format, int k, int c, int h, int w);
int cudnnCreateConvolutionDescriptor(void **d);
int cudnnDestroyConvolutionDescriptor(void *d);
int cudnnSetConvolution2dDescriptor(void *d, int pad_h, int pad_w, int u, int v, int dil_h,
                                    int dil_w, int mode, int type);
int cudnnSetConvolutionMathType(void *d, int math);
int cudnnGetConvolutionForwardAlgorithm_v7(void *handle, void *x, void *k, void *conv, void *y,
                                           int most, int *n, void *perf);
int cudnnGetConvolutionForwardWorkspaceSize(void *handle, void *x, void *k, void *conv, void *y,
                                            int algo, size_t *bytes);
int cudnnConvolutionForward(void *handle, const void *alpha, void *x, const void *d_x, void *k,
                            const void *d_k, void *conv, int algo, void *d_work, size_t bytes,
                            const void *beta, void *y, void *d_y);

int cudnnGetConvolutionBackwardDataAlgorithm_v7(void *handle, void *k, void *dy, void *conv,
                                                void *dx, int most, int *n, void *perf);
int cudnnGetConvolutionBackwardDataWorkspaceSize(void *handle, void *k, void *dy, void *conv,
                                                 void *dx, int algo, size_t *bytes);
int cudnnConvolutionBackwardData(void *handle, const void *alpha, void *k, const void *d_k, void *y,
                                 const void *d_dy, void *conv, int algo, void *d_work, size_t bytes,
                                 const void *beta, void *x, void *d_dx);
int cudnnGetConvolutionBackwardFilterAlgorithm_v7(void *handle, void *x, void *dy, void *conv,
                                                  void *dk, int most, int *n, void *perf);
int cudnnGetConvolutionBackwardFilterWorkspaceSize(void *handle, void *x, void *dy, void *conv,
                                                   void *dk, int algo, size_t *bytes);
int cudnnConvolutionBackwardFilter(void *handle, const void *alpha, void *x, const void *d_x,
                                   void *y, const void *d_dy, void *conv, int algo, void *d_work,
                                   size_t bytes, const void *beta, void *k, void *d_dk);

size_t cudnnGetVersion(void)
{
    return 91900;
}

const char *cudnnGetErrorString(int status)
{
    return status == BAD ? "FAKE_BAD_PARAM" : status == UNSUPPORTED ? "FAKE_UNSUPPORTED" : "?";
}

static int make(void **d, size_t bytes)
{
    *d = malloc(bytes);
    if (*d) memset(*d, 0xff, bytes);
    return *d ? OK : BAD;
}

static int drop(void *d)
{
    free(d);
    return OK;
}

int cudnnCreate(void **handle)
{
    return fake_cudnn_create ? fake_cudnn_create : make(handle, sizeof(context));
}

int cudnnDestroy(void *handle)
{
    return drop(handle);
}

int cudnnSetStream(void *handle, void *stream)
{
    ((context *)handle)->stream = stream;
    return OK;
}

int cudnnCreateTensorDescriptor(void **d)
{
    return make(d, sizeof(shape));
}

int cudnnDestroyTensorDescriptor(void *d)
{
    return drop(d);
}

int cudnnCreateFilterDescriptor(void **d)
{
    return make(d, sizeof(shape));
}

int cudnnDestroyFilterDescriptor(void *d)
{
    return drop(d);
}

int cudnnCreateConvolutionDescriptor(void **d)
{
    return make(d, sizeof(convolution));
}

int cudnnDestroyConvolutionDescriptor(void *d)
{
    return drop(d);
}

int cudnnSetTensor4dDescriptor(void *d, int format, int type, int n, int c, int h, int w)
{
    *(shape *)d = (shape){type, format, {n, c, h, w}};
    return format == 1 && (type == FLOATS || type == BF16) ? OK : BAD;
}

int cudnnSetFilter4dDescriptor(void *d, int type, int format, int k, int c, int h, int w)
{
    return cudnnSetTensor4dDescriptor(d, format, type, k, c, h, w);
}

int cudnnSetConvolution2dDescriptor(void *d, int pad_h, int pad_w, int u, int v, int dil_h,
                                    int dil_w, int mode, int type)
{
    *(convolution *)d = (convolution){pad_h, type, -1};
    return pad_h == pad_w && u == 1 && v == 1 && dil_h == 1 && dil_w == 1 && mode == 1 &&
                   type == FLOATS
               ? OK
               : BAD;
}

int cudnnSetConvolutionMathType(void *d, int math)
{
    ((convolution *)d)->math = math;
    return OK;
}

static int fits(const shape *x, const shape *k, const convolution *c, const shape *y)
{
    return x->type == k->type && x->type == y->type && x->d[0] == y->d[0] && x->d[1] == k->d[1] &&
           k->d[0] == y->d[1] && x->d[2] == y->d[2] && x->d[3] == y->d[3] && k->d[2] == k->d[3] &&
           c->pad == k->d[2] / 2 && c->type == FLOATS && c->math == (x->type == BF16 ? 1 : 3);
}

typedef struct {
    int algo, status;
    float time;
    size_t memory;
    int determinism, math, reserved[3];
} perf;

typedef struct {
    shape x, k, y;
    const void *d_x, *d_k;
    void *d_y;
    unsigned char *d_work;
    float alpha, beta;
} call;

static float get(const void *p, int64_t i, int type)
{
    return type == BF16 ? lp_bf16_to(((const uint16_t *)p)[i]) : ((const float *)p)[i];
}

static void put(void *p, int64_t i, int type, float v)
{
    if (type == BF16)
        ((uint16_t *)p)[i] = lp_bf16_from(v);
    else
        ((float *)p)[i] = v;
}

static int run(void *args)
{
    const call *c = args;
    int type = c->x.type, ci = c->k.d[1], co = c->k.d[0], side = c->k.d[2], h = c->x.d[2],
        w = c->x.d[3], n, y, x, o, i, t;

    memset(c->d_work, 0x5a, WORK);
    for (n = 0; n < c->x.d[0]; n++)
        for (y = 0; y < h; y++)
            for (x = 0; x < w; x++)
                for (o = 0; o < co; o++) {
                    int64_t at = (((int64_t)n * h + y) * w + x) * co + o;
                    float sum = 0;

                    for (t = 0; t < side * side; t++) {
                        int yy = y + t / side - side / 2, xx = x + t % side - side / 2;

                        if (yy < 0 || xx < 0 || yy >= h || xx >= w) continue;
                        for (i = 0; i < ci; i++)
                            sum += get(c->d_x, (((int64_t)n * h + yy) * w + xx) * ci + i, type) *
                                   get(c->d_k, ((int64_t)o * side * side + t) * ci + i, type);
                    }
                    sum *= c->alpha;
                    if (c->beta != 0) sum += c->beta * get(c->d_y, at, type);
                    put(c->d_y, at, type, sum);
                }
    return 0;
}

/* d_x gathers what each pixel of d_y took from it, d_k what each of its taps met. */
static int run_data(void *args)
{
    const call *c = args;
    int type = c->x.type, ci = c->k.d[1], co = c->k.d[0], side = c->k.d[2], h = c->x.d[2],
        w = c->x.d[3], x, o, i, t;
    int64_t row;

    memset(c->d_work, 0x5a, WORK);
#pragma omp parallel for private(x, o, i, t)
    for (row = 0; row < (int64_t)c->x.d[0] * h; row++)
        for (x = 0; x < w; x++)
            for (i = 0; i < ci; i++) {
                int y = (int)(row % h);
                float sum = 0;

                for (t = 0; t < side * side; t++) {
                    int yy = y - t / side + side / 2, xx = x - t % side + side / 2;

                    if (yy < 0 || xx < 0 || yy >= h || xx >= w) continue;
                    for (o = 0; o < co; o++)
                        sum += get(c->d_y, ((row - y + yy) * w + xx) * co + o, type) *
                               get(c->d_k, ((int64_t)o * side * side + t) * ci + i, type);
                }
                put((void *)(size_t)c->d_x, (row * w + x) * ci + i, type, sum * c->alpha);
            }
    return 0;
}

static int run_filter(void *args)
{
    const call *c = args;
    int type = c->x.type, ci = c->k.d[1], co = c->k.d[0], side = c->k.d[2], h = c->x.d[2],
        w = c->x.d[3], o, i, t, x;
    int64_t row;

    memset(c->d_work, 0x5a, WORK);
#pragma omp parallel for private(i, t, x, row)
    for (o = 0; o < co; o++)
        for (t = 0; t < side * side; t++)
            for (i = 0; i < ci; i++) {
                float sum = 0;

                for (row = 0; row < (int64_t)c->x.d[0] * h; row++) {
                    int y = (int)(row % h), yy = y + t / side - side / 2;

                    if (yy < 0 || yy >= h) continue;
                    for (x = 0; x < w; x++) {
                        int xx = x + t % side - side / 2;

                        if (xx < 0 || xx >= w) continue;
                        sum += get(c->d_x, ((row - y + yy) * w + xx) * ci + i, type) *
                               get(c->d_y, (row * w + x) * co + o, type);
                    }
                }
                put((void *)(size_t)c->d_k, ((int64_t)o * side * side + t) * ci + i, type,
                    sum * c->alpha);
            }
    return 0;
}

/* Each way has an algorithm of its own that may be taken. */
enum { FORWARD = 6, DATA = 1, FILTER = 5 };

enum { GREEDY = 7, ABSENT = 2, RANDOM = 3, ELSEWHERE = 4 };

/* Four that must not be taken, then it. As NVIDIA's, all that there is, with what it needs in the
 * math type that it is meant for: here not the one of the descriptor. */
static int offer(int algo, int fit, int most, int *n, void *out)
{
    perf all[5] = {{.algo = GREEDY, .status = OK, .determinism = 1},
                   {.algo = ABSENT, .status = UNSUPPORTED, .determinism = 1},
                   {.algo = RANDOM, .status = OK, .determinism = 0},
                   {.algo = ELSEWHERE, .status = OK, .determinism = 1},
                   {.algo = algo, .status = OK, .determinism = 1}};

    if (most < 5 || !fit) return BAD;
    *n = fake_cudnn_without_algorithm ? 4 : 5;
    memcpy(out, all, sizeof all);
    return OK;
}

/* In the math type of the descriptor. */
static int size(int algo, int fit, size_t *bytes)
{
    if (!fit) return BAD;
    if (algo == ABSENT || algo == ELSEWHERE) return UNSUPPORTED;
    *bytes = algo == GREEDY ? SIZE_MAX : WORK;
    return OK;
}

int cudnnGetConvolutionForwardWorkspaceSize(void *handle, void *x, void *k, void *conv, void *y,
                                            int algo, size_t *bytes)
{
    return size(algo, handle && fits(x, k, conv, y), bytes);
}

int cudnnGetConvolutionBackwardDataWorkspaceSize(void *handle, void *k, void *y, void *conv,
                                                 void *x, int algo, size_t *bytes)
{
    return size(algo, handle && fits(x, k, conv, y), bytes);
}

int cudnnGetConvolutionBackwardFilterWorkspaceSize(void *handle, void *x, void *y, void *conv,
                                                   void *k, int algo, size_t *bytes)
{
    return size(algo, handle && fits(x, k, conv, y), bytes);
}

int cudnnGetConvolutionForwardAlgorithm_v7(void *handle, void *x, void *k, void *conv, void *y,
                                           int most, int *n, void *out)
{
    return offer(FORWARD, handle && fits(x, k, conv, y), most, n, out);
}

int cudnnGetConvolutionBackwardDataAlgorithm_v7(void *handle, void *k, void *y, void *conv, void *x,
                                                int most, int *n, void *out)
{
    return offer(DATA, handle && fits(x, k, conv, y), most, n, out);
}

int cudnnGetConvolutionBackwardFilterAlgorithm_v7(void *handle, void *x, void *y, void *conv,
                                                  void *k, int most, int *n, void *out)
{
    return offer(FILTER, handle && fits(x, k, conv, y), most, n, out);
}

static int queue(void *handle, int (*what)(void *), call c, int ok, void *x, void *k, void *conv,
                 void *y, size_t bytes, const void *alpha, const void *beta)
{
    call all;

    fake_cudnn_calls++;
    if (!handle || !ok || bytes < WORK || (uintptr_t)c.d_work % 256 || !fits(x, k, conv, y))
        return BAD;
    memset(&all, 0, sizeof all);
    memcpy(&all.x, x, sizeof all.x);
    memcpy(&all.k, k, sizeof all.k);
    memcpy(&all.y, y, sizeof all.y);
    all.d_x = c.d_x;
    all.d_k = c.d_k;
    all.d_y = c.d_y;
    all.d_work = c.d_work;
    memcpy(&all.alpha, alpha, sizeof all.alpha);
    memcpy(&all.beta, beta, sizeof all.beta);
    return fake_cudnn_queue(((context *)handle)->stream, what, &all, sizeof all) ? BAD : OK;
}

int cudnnConvolutionForward(void *handle, const void *alpha, void *x, const void *d_x, void *k,
                            const void *d_k, void *conv, int algo, void *d_work, size_t bytes,
                            const void *beta, void *y, void *d_y)
{
    call c = {.d_x = d_x, .d_k = d_k, .d_y = d_y, .d_work = d_work};

    return queue(handle, run, c, algo == FORWARD, x, k, conv, y, bytes, alpha, beta);
}

int cudnnConvolutionBackwardData(void *handle, const void *alpha, void *k, const void *d_k, void *y,
                                 const void *d_dy, void *conv, int algo, void *d_work, size_t bytes,
                                 const void *beta, void *x, void *d_dx)
{
    call c = {.d_x = d_dx, .d_k = d_k, .d_y = (void *)(size_t)d_dy, .d_work = d_work};

    return queue(handle, run_data, c, algo == DATA, x, k, conv, y, bytes, alpha, beta);
}

int cudnnConvolutionBackwardFilter(void *handle, const void *alpha, void *x, const void *d_x,
                                   void *y, const void *d_dy, void *conv, int algo, void *d_work,
                                   size_t bytes, const void *beta, void *k, void *d_dk)
{
    call c = {.d_x = d_x, .d_k = d_dk, .d_y = (void *)(size_t)d_dy, .d_work = d_work};

    return queue(handle, run_filter, c, algo == FILTER, x, k, conv, y, bytes, alpha, beta);
}
