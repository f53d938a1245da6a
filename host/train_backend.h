/* train_backend - where the steps of training run: one struct of functions, so that data,
 * augmentation, schedule and files do not know where the network is.
 *
 * Arrays are float32 in host memory: x [n][nchan][ly][lx], target [n][3][ly][lx] (train_loss.h).
 * The weights given to open and the optimizer's state are the host's copy: a back end with memory
 * of its own takes them with put and brings them up to date with get. */
#ifndef LP_TRAIN_BACKEND_H
#define LP_TRAIN_BACKEND_H

#include "train_optim.h"

typedef struct lp_trainer lp_trainer;

typedef struct {
    int batch, ly, lx; /* images per step at most; their size */
    int threads;
    double memory; /* bytes it may take of the host's, 0: no limit */
    lp_optim_options optim;
    int bf16; /* activations and their gradients bfloat16 */
    int gpu_device;
    size_t gpu_memory; /* bytes it may take of the GPU's, 0: no limit */
} lp_trainer_options;

typedef struct {
    const char *name;

    /* Whether there is what open needs; LP_EMISSING says what is not. */
    lp_status (*available)(int gpu_device, lp_err *err);
    int (*bf16_pays)(void); /* what --precision auto means */

    /* w must stay. LP_EMISSING where the machine has no such device. */
    lp_status (*open)(lp_weights *w, const lp_trainer_options *o, lp_trainer **out, lp_err *err);
    void (*close)(lp_trainer **t);                /* NULL is fine; clears the pointer */
    const char *(*describe)(const lp_trainer *t); /* for people: "cpu, 8 threads" */

    /* Forward with batch statistics and backward, n images; perhaps only queued: x and target may
     * be changed at once. Changes running statistics, but no parameter: a loss that is no number
     * can be refused before it spreads. */
    lp_status (*gradients)(lp_trainer *t, const float *x, const float *target, int n, lp_err *err);
    /* Waits for that: loss_each [n] and their mean. */
    lp_status (*loss)(lp_trainer *t, double *loss_each, double *loss, lp_err *err);
    /* A step of the optimizer along the last gradients. */
    lp_status (*update)(lp_trainer *t, double rate, lp_err *err);
    /* Loss with running statistics; changes nothing. */
    lp_status (*evaluate)(lp_trainer *t, const float *x, const float *target, int n,
                          double *loss_each, double *loss, lp_err *err);

    lp_optim *(*optimizer)(lp_trainer *t); /* the host's copy of its state */
    lp_status (*get)(lp_trainer *t, lp_err *err);
    lp_status (*put)(lp_trainer *t, lp_err *err);
} lp_train_backend;

extern const lp_train_backend lp_train_cpu, lp_train_cuda;

/* "cpu", "cuda", or "auto" (NULL): the GPU where it is available, else the CPU. LP_EARG,
 * LP_EMISSING. */
lp_status lp_train_backend_find(const char *name, int gpu_device, const lp_train_backend **be,
                                lp_err *err);

#endif
