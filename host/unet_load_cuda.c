#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "../kernels/bf16.h"
#include "../kernels/conv.h"
#include "unet_cuda_net.h"
#include "unet_layers.h"

/* The memory that will be uploaded. Pointers of the network hold offsets + 1 until it is. */
typedef struct {
    unsigned char *p;
    size_t used, room;
    int failed;
} image;

/* Room for `bytes`, zeroed; *at becomes its place. NULL where memory is short. */
static void *take(image *m, size_t bytes, void *at)
{
    size_t from = (m->used + 255) / 256 * 256, offset = from + 1;
    unsigned char *p;

    if (from + bytes > m->room) {
        m->room = (from + bytes) * 2;
        p = realloc(m->p, m->room);
        if (!p) {
            m->failed = 1;
            return NULL;
        }
        m->p = p;
    }
    memset(m->p + m->used, 0, from + bytes - m->used);
    m->used = from + bytes;
    memcpy(at, &offset, sizeof offset);
    return m->p + from;
}

/* n floats, zeros up to `room`. */
static void put(image *m, const float *v, int n, int room, float **at)
{
    float *to = take(m, (size_t)room * sizeof *to, at);

    if (to) memcpy(to, v, (size_t)n * sizeof *to);
}

/* up: the layer takes an x that is doubled. */
static void put_layer(image *m, const lp_unet_cuda *net, const lp_layer *l, int taps, int up,
                      void **k)
{
    void *to;

    if (net->cudnn) {
        to = take(m, lp_cudnn_packed(l->ic, l->oc, taps, net->bf16), k);
        if (to) lp_cudnn_pack(to, l->w, l->ic, l->oc, taps, net->bf16);
        return;
    }
    if (taps == 9) taps = lp_conv_taps(up, net->bf16);
    to = take(m, lp_conv_packed(l->ic, l->oc, taps, net->bf16), k);
    if (to) lp_conv_pack(to, l->w, l->ic, l->oc, taps, net->bf16);
}

/* up: 0 in the encoder; 2 where conv_0 takes an x that is doubled, else 1. */
static void put_block(image *m, const lp_unet_cuda *net, const lp_block *from, lp_cuda_block *to,
                      int up, int first)
{
    int i, o, c = from->conv[CONV1].oc, room = lp_conv_pad(c), in = from->conv[CONV0].ic;

    for (i = 0; i < 4; i++) {
        const lp_layer *l = &from->conv[i];
        float *b = take(m, (size_t)room * sizeof *b, &to->b[i]);

        for (o = 0; b && o < c; o++) b[o] = i == CONV1 ? l->b[o] + from->conv[PROJ].b[o] : l->b[o];
        if (!(first && i == CONV0)) put_layer(m, net, l, 9, up == 2 && i == CONV0, &to->k[i]);
    }
    if (!first) put_layer(m, net, &from->conv[PROJ], 1, 0, &to->pk);
    put(m, from->bn0.scale, in, lp_conv_pad(in), &to->scale0);
    put(m, from->bn0.shift, in, lp_conv_pad(in), &to->shift0);
    if (up) put(m, from->bn1.scale, c, room, &to->scale1);
    put(m, from->bn2.scale, c, room, &to->scale2);
    put(m, from->bn2.shift, c, room, &to->shift2);
}

/* The first block's float32 layers: conv_0 [nin][9][C], proj [nin][C]. */
static void put_first(image *m, const lp_block *from, lp_unet_cuda *net)
{
    const lp_layer *conv = &from->conv[CONV0], *proj = &from->conv[PROJ];
    int C = net->C[0], o, i, t;
    float *k = take(m, (size_t)net->nin * 9 * C * sizeof *k, &net->first_k);

    for (o = 0; k && o < conv->oc; o++)
        for (i = 0; i < net->nin; i++)
            for (t = 0; t < 9; t++) k[(i * 9 + t) * C + o] = conv->w[(o * net->nin + i) * 9 + t];
    put(m, conv->b, conv->oc, C, &net->first_b);
    k = take(m, (size_t)net->nin * C * sizeof *k, &net->proj_k);
    for (o = 0; k && o < proj->oc; o++)
        for (i = 0; i < net->nin; i++) k[i * C + o] = proj->w[o * net->nin + i];
}

/* The decoder's linear layers, one after the other. */
static void put_style(image *m, const lp_block *up, lp_unet_cuda *net)
{
    int l, k, o, at = 0, S = net->S;
    float *full, *bias, *scale, *shift;

    for (l = 0; l < net->levels; l++)
        for (k = 1; k < 4; k++, at += net->C[l]) net->up[l].row[k] = at;
    net->rows = at;
    /* One after the other: taking moves what was taken before. */
    full = take(m, (size_t)at * S * sizeof *full, &net->full);
    for (l = 0; full && l < net->levels; l++)
        for (k = 1; k < 4; k++)
            memcpy(full + (size_t)net->up[l].row[k] * S, up[l].full[k],
                   (size_t)up[l].conv[CONV1].oc * S * sizeof *full);
    bias = take(m, (size_t)at * sizeof *bias, &net->full_b);
    for (l = 0; bias && l < net->levels; l++)
        for (k = 1; k < 4; k++)
            memcpy(bias + net->up[l].row[k], up[l].full_b[k],
                   (size_t)up[l].conv[CONV1].oc * sizeof *bias);
    scale = take(m, (size_t)at * sizeof *scale, &net->full_scale);
    for (l = 0; scale && l < net->levels; l++)
        for (o = 0; o < up[l].conv[CONV1].oc; o++) {
            scale[net->up[l].row[1] + o] = up[l].bn1.scale[o];
            scale[net->up[l].row[2] + o] = up[l].bn2.scale[o];
            scale[net->up[l].row[3] + o] = up[l].scale3[o];
        }
    shift = take(m, (size_t)at * sizeof *shift, &net->full_shift);
    for (l = 0; shift && l < net->levels; l++)
        for (o = 0; o < up[l].conv[CONV1].oc; o++) {
            shift[net->up[l].row[1] + o] = up[l].bn1.shift[o];
            shift[net->up[l].row[2] + o] = up[l].bn2.shift[o];
            shift[net->up[l].row[3] + o] = up[l].conv[CONV2].b[o];
        }
}

static int put_output(image *m, const lp_weights *w, lp_unet_cuda *net)
{
    int c = w->nbase[1], C = net->C[0], o;
    float *k = lp_tensor_copy(w, "output.2.", "weight", (size_t)net->nout * c);
    float *b = lp_tensor_copy(w, "output.2.", "bias", (size_t)net->nout), *to;
    lp_bn bn = {0};
    int ok = lp_bn_load(&bn, w, "output.0.", c) && k && b;

    if (ok) {
        put(m, bn.scale, c, C, &net->out_scale);
        put(m, bn.shift, c, C, &net->out_shift);
        to = take(m, (size_t)net->nout * C * sizeof *to, &net->out_k);
        for (o = 0; to && o < net->nout; o++)
            memcpy(to + (size_t)o * C, k + (size_t)o * c, (size_t)c * sizeof *to);
        put(m, b, net->nout, net->nout, &net->out_b);
    }
    lp_bn_free(&bn);
    free(k);
    free(b);
    return ok;
}

/* Offset + 1 -> pointer on the device. */
static void place(const lp_unet_cuda *net, void *at)
{
    size_t offset;
    unsigned char *d;

    memcpy(&offset, at, sizeof offset);
    if (!offset) return;
    d = (unsigned char *)net->d_weights + offset - 1;
    memcpy(at, &d, sizeof d);
}

static void place_all(lp_unet_cuda *net)
{
    int l, i, dir;

    for (l = 0; l < net->levels; l++)
        for (dir = 0; dir < 2; dir++) {
            lp_cuda_block *b = dir ? &net->up[l] : &net->down[l];

            for (i = 0; i < 4; i++) {
                place(net, &b->k[i]);
                place(net, &b->b[i]);
            }
            place(net, &b->pk);
            place(net, &b->scale0);
            place(net, &b->shift0);
            place(net, &b->scale1);
            place(net, &b->scale2);
            place(net, &b->shift2);
        }
    place(net, &net->first_k);
    place(net, &net->first_b);
    place(net, &net->proj_k);
    place(net, &net->out_scale);
    place(net, &net->out_shift);
    place(net, &net->out_k);
    place(net, &net->out_b);
    place(net, &net->full);
    place(net, &net->full_b);
    place(net, &net->full_scale);
    place(net, &net->full_shift);
}

/* lp_block_correct for a block whose conv_0 takes a doubled x: there it is sums of weights that are
 * rounded, other ones at each of four positions; their mean is corrected. */
static int correct_doubled(lp_block *k, const lp_weights *w, const char *where)
{
    lp_layer *l = &k->conv[CONV0];
    float *b = malloc((size_t)l->oc * sizeof *b);
    double *mean = malloc((size_t)l->ic * sizeof *mean);
    int ok = b && mean && lp_block_means(mean, w, where, 1, CONV0, l->ic), o, c, t;

    for (o = 0; ok && o < l->oc; o++) {
        double lost = 0;

        for (c = 0; c < l->ic; c++)
            for (t = 0; t < 16; t++) {
                float v = lp_conv_up_weight(l->w + ((size_t)o * l->ic + c) * 9, t);

                lost += ((double)v - lp_bf16_to(lp_bf16_from(v))) * mean[c];
            }
        b[o] = (float)(l->b[o] + lost / 4);
    }
    ok = ok && lp_block_correct(k, w, where, 1, 0);
    if (ok) memcpy(l->b, b, (size_t)l->oc * sizeof *b);
    free(b);
    free(mean);
    return ok;
}

lp_status lp_cuda_load(lp_unet_cuda *net, const lp_weights *w, lp_err *err)
{
    lp_block down[LP_CUDA_LEVELS] = {0}, up[LP_CUDA_LEVELS] = {0};
    image m = {0};
    char where[64];
    int l, ok = 1;
    lp_status st;

    for (l = 0; l < net->levels && ok; l++) {
        int c = w->nbase[l + 1];

        snprintf(where, sizeof where, "downsample.down.res_down_%d.", l);
        ok = lp_block_load(&down[l], w, where, 0, w->nbase[l], c, net->S, w->sz);
        if (ok && net->bf16) ok = lp_block_correct(&down[l], w, where, 0, l == 0);
        snprintf(where, sizeof where, "upsample.up.res_up_%d.", l);
        ok = ok && lp_block_load(&up[l], w, where, 1, l + 1 < net->levels ? w->nbase[l + 2] : c, c,
                                 net->S, w->sz);
        if (ok && net->bf16)
            ok = l + 1 < net->levels && !net->cudnn ? correct_doubled(&up[l], w, where)
                                                    : lp_block_correct(&up[l], w, where, 1, 0);
    }
    for (l = 0; l < net->levels && ok; l++) {
        put_block(&m, net, &down[l], &net->down[l], 0, l == 0);
        put_block(&m, net, &up[l], &net->up[l], l + 1 < net->levels ? 2 : 1, 0);
    }
    if (ok) {
        put_first(&m, &down[0], net);
        put_style(&m, up, net);
        ok = put_output(&m, w, net);
    }
    if (!ok || m.failed) {
        st = lp_fail(err, LP_ENOMEM, "network: a tensor is missing, or out of memory");
        goto done;
    }
    if ((st = net->mem.alloc(net->mem.user, m.used, &net->d_weights, err))) goto done;
    net->weight_bytes = m.used;
    if ((st = net->mem.put(net->mem.user, net->d_weights, m.p, m.used, err))) goto done;
    place_all(net);
done:
    for (l = 0; l < net->levels; l++) {
        lp_block_free(&down[l]);
        lp_block_free(&up[l]);
    }
    free(m.p);
    return st;
}
