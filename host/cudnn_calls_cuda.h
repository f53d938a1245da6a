/* cudnn_calls_cuda - what cudnn_cuda.c and cudnn_train_cuda.c share: the functions of the library
 * and the setting up of a convolution. */
#ifndef LP_CUDNN_CALLS_CUDA_H
#define LP_CUDNN_CALLS_CUDA_H

#include "cudnn_cuda.h"

/* Of cudnn_graph.h, cudnn_ops.h and cudnn_cnn.h, version 9: values, types and functions. */
enum {
    LP_CUDNN_DATA_FLOAT = 0,
    LP_CUDNN_DATA_BFLOAT16 = 9,
    LP_CUDNN_TENSOR_NHWC = 1,
    LP_CUDNN_CROSS_CORRELATION = 1,
    LP_CUDNN_TENSOR_OP_MATH = 1,
    LP_CUDNN_FMA_MATH = 3,
    LP_CUDNN_DETERMINISTIC = 1,
    LP_CUDNN_MAX_ALGOS = 16 /* each with tensor cores and without */
};

typedef struct {
    int algo, status;
    float time;
    size_t memory;
    int determinism, math, reserved[3];
} lp_cudnn_perf;

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
                                             int most, int *n, lp_cudnn_perf *p);
    int (*GetConvolutionForwardWorkspaceSize)(void *handle, void *x, void *k, void *conv, void *y,
                                              int algo, size_t *bytes);
    int (*ConvolutionForward)(void *handle, const void *alpha, void *x, const void *d_x, void *k,
                              const void *d_k, void *conv, int algo, void *d_work, size_t bytes,
                              const void *beta, void *y, void *d_y);
    int (*GetConvolutionBackwardDataAlgorithm_v7)(void *handle, void *k, void *dy, void *conv,
                                                  void *dx, int most, int *n, lp_cudnn_perf *p);
    int (*GetConvolutionBackwardDataWorkspaceSize)(void *handle, void *k, void *dy, void *conv,
                                                   void *dx, int algo, size_t *bytes);
    int (*ConvolutionBackwardData)(void *handle, const void *alpha, void *k, const void *d_k,
                                   void *dy, const void *d_dy, void *conv, int algo, void *d_work,
                                   size_t bytes, const void *beta, void *dx, void *d_dx);
    int (*GetConvolutionBackwardFilterAlgorithm_v7)(void *handle, void *x, void *dy, void *conv,
                                                    void *dk, int most, int *n, lp_cudnn_perf *p);
    int (*GetConvolutionBackwardFilterWorkspaceSize)(void *handle, void *x, void *dy, void *conv,
                                                     void *dk, int algo, size_t *bytes);
    int (*ConvolutionBackwardFilter)(void *handle, const void *alpha, void *x, const void *d_x,
                                     void *dy, const void *d_dy, void *conv, int algo, void *d_work,
                                     size_t bytes, const void *beta, void *dk, void *d_dk);
} lp_cudnn_functions;

struct lp_cudnn {
    void *library, *handle;
    lp_cudnn_functions f;
    char error[200];
};

/* Descriptors of a convolution of stride 1, channels last. */
typedef struct {
    void *x, *y, *k, *conv;
} lp_cudnn_shape;

/* cuDNN's status; what was made is in *s in any case, for drop. */
int lp_cudnn_shape_make(lp_cudnn *h, lp_cudnn_shape *s, int n, int height, int width, int cin,
                        int cout, int taps, int bf16);
void lp_cudnn_shape_drop(lp_cudnn *h, lp_cudnn_shape *s);

/* cuDNN's first choice that gives the same bits every time and needs no more than most bytes:
 * *algo, -1 where there is none, and its *work. What it offers may be meant for another math type
 * than that of s, which stays what runs: so each is asked again what it needs there. Its status. */
enum { LP_CUDNN_FORWARD, LP_CUDNN_DATA, LP_CUDNN_FILTER, LP_CUDNN_WAYS };
int lp_cudnn_choose(lp_cudnn *h, const lp_cudnn_shape *s, int way, size_t most, int *algo,
                    size_t *work);
/* -1, with lp_cudnn_error's text. */
int lp_cudnn_failed(lp_cudnn *h, int status, const char *what);

#endif
