#include "train_optim.h"

#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/simd.h"
#include "train_net.h"

lp_status lp_optim_new(const lp_weights *w, const lp_optim_options *o, lp_optim *out, lp_err *err)
{
    size_t n = 0;
    float *state;
    int i;

    for (i = 0; i < w->n_tensors; i++)
        if (lp_tnet_is_learnt(w->tensors[i].name)) n += w->tensors[i].n;
    if (!o->sgd) n *= 2;
    if (!(state = calloc(n ? n : 1, sizeof *state)))
        return lp_fail_mem(err, "optimizer", (double)n * sizeof *state);
    *out = (lp_optim){*o, state, n, 0};
    return LP_OK;
}

void lp_optim_free(lp_optim *o)
{
    if (!o) return;
    free(o->state);
    memset(o, 0, sizeof *o);
}

LP_SIMD static void sgd(float *restrict p, const float *restrict g, float *restrict m, int n,
                        const lp_tstep_rates *r)
{
    float lr = r->lr, decay = r->decay, mom = r->first ? 0 : r->momentum;
    int i;

    for (i = 0; i < n; i++) {
        m[i] = mom * m[i] + (g[i] + decay * p[i]);
        p[i] -= lr * m[i];
    }
}

LP_SIMD static void adamw(float *restrict p, const float *restrict g, float *restrict m,
                          float *restrict v, int n, const lp_tstep_rates *r)
{
    const float b1 = 0.9f, b2 = 0.999f, c1 = (float)(1 - 0.9), c2 = (float)(1 - 0.999);
    float decay = r->decay, step = r->step, root2 = r->root2;
    int i;

    for (i = 0; i < n; i++) {
        m[i] = b1 * m[i] + c1 * g[i];
        v[i] = b2 * v[i] + c2 * g[i] * g[i];
        p[i] = decay * p[i] - step * (m[i] / (sqrtf(v[i]) / root2 + 1e-8f));
    }
}

lp_tstep_rates lp_optim_rates(lp_optim *o, double lr)
{
    lp_tstep_rates r = {.lr = (float)lr, .momentum = (float)o->o.momentum, .first = o->steps == 0};

    o->steps++;
    r.decay = (float)(o->o.sgd ? o->o.weight_decay : 1 - lr * o->o.weight_decay);
    r.step = (float)(lr / (1 - pow(0.9, (double)o->steps)));
    r.root2 = (float)sqrt(1 - pow(0.999, (double)o->steps));
    return r;
}

void lp_optim_step(lp_optim *o, lp_weights *w, float *const *grad, double lr)
{
    size_t at = 0, half = o->n_state / 2;
    lp_tstep_rates r = lp_optim_rates(o, lr);
    int i;

    for (i = 0; i < w->n_tensors; i++) {
        const size_t piece = 65536;
        lp_tensor *t = &w->tensors[i];
        size_t k;

        if (!grad[i]) continue;
#pragma omp parallel for schedule(static) if (t->n > piece)
        for (k = 0; k < t->n; k += piece) {
            int n = (int)(t->n - k < piece ? t->n - k : piece);

            if (o->o.sgd)
                sgd(t->data + k, grad[i] + k, o->state + at + k, n, &r);
            else
                adamw(t->data + k, grad[i] + k, o->state + at + k, o->state + half + at + k, n, &r);
        }
        at += t->n;
    }
}

double lp_train_rate(double learning_rate, int n_epochs, int epoch)
{
    int tail = n_epochs > 300 ? 100 : n_epochs > 100 ? 50 : 0, from = n_epochs - tail;

    if (epoch < 10) return learning_rate * epoch / 9;
    if (tail && epoch >= from) return ldexp(learning_rate, -(1 + (epoch - from) / (tail / 10)));
    return learning_rate;
}
