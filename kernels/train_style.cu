/* train_style - on the device: vectors and matrices of a few hundred values, a thread per value of
 * what is written, in train_style_ref.c's order of additions. */
#include "util.cuh"

extern "C" {
#include "train_style.h"
}

#define BLOCK 128

/* A block per image; its first thread takes the sums. */
static __global__ void __launch_bounds__(BLOCK)
    make(lp_tstyle s, const double *__restrict__ means, int cp)
{
    __shared__ double root;
    const int64_t i = blockIdx.x;
    float *m = s.mean + i * s.n, *v = s.v + i * s.n;
    double len = 0;

    for (int c = (int)threadIdx.x; c < s.n; c += BLOCK) m[c] = (float)means[i * cp + c];
    __syncthreads();
    if (!threadIdx.x) {
        for (int c = 0; c < s.n; c++) len += (double)m[c] * m[c];
        root = sqrt(len);
    }
    __syncthreads();
    for (int c = (int)threadIdx.x; c < s.n; c += BLOCK) v[c] = (float)(m[c] / root);
}

int lp_tstyle_make_cuda(const lp_tstyle *s, int images, const double *means, int cp,
                        lp_stream stream)
{
    return LP_LAUNCH(make, images, BLOCK, 0, stream, *s, means, cp);
}

static __global__ void __launch_bounds__(BLOCK)
    apply(lp_tstyle st, int64_t total, const float *__restrict__ w, const float *__restrict__ b,
          int c, int cp, float *__restrict__ f)
{
    const int64_t t = (int64_t)blockIdx.x * BLOCK + threadIdx.x, i = t / cp;
    const int k = (int)(t - i * cp);
    double sum = 0;

    if (t >= total) return;
    if (k < c) {
        const float *row = w + (int64_t)k * st.n, *v = st.v + i * st.n;

        sum = b[k];
        for (int s = 0; s < st.n; s++) sum += (double)row[s] * v[s];
    }
    f[t] = (float)sum;
}

int lp_tstyle_apply_cuda(const lp_tstyle *s, int images, const float *w, const float *b, int c,
                         int cp, float *f, lp_stream stream)
{
    const int64_t total = (int64_t)images * cp;

    return LP_LAUNCH(apply, lp_blocks(total, BLOCK), BLOCK, 0, stream, *s, total, w, b, c, cp, f);
}

static __global__ void __launch_bounds__(BLOCK)
    weight_gradients(lp_tstyle st, int images, int64_t total, const float *__restrict__ d_f, int cp,
                     float *__restrict__ dw, float *__restrict__ db)
{
    const int64_t t = (int64_t)blockIdx.x * BLOCK + threadIdx.x, k = t / st.n;
    const int s = (int)(t - k * st.n);
    float sum = 0, bias = 0;

    if (t >= total) return;
    for (int64_t i = 0; i < images; i++) {
        const float d = d_f[i * cp + k];

        sum += d * st.v[i * st.n + s];
        bias += d;
    }
    dw[t] = sum;
    if (!s) db[k] = bias;
}

static __global__ void __launch_bounds__(BLOCK)
    vector_gradients(lp_tstyle st, int64_t total, const float *__restrict__ w,
                     const float *__restrict__ d_f, int c, int cp)
{
    const int64_t t = (int64_t)blockIdx.x * BLOCK + threadIdx.x, i = t / st.n, s = t - i * st.n;
    float sum;

    if (t >= total) return;
    sum = st.g[t];
    for (int64_t k = 0; k < c; k++) sum += d_f[i * cp + k] * w[k * st.n + s];
    st.g[t] = sum;
}

int lp_tstyle_gradients_cuda(const lp_tstyle *s, int images, const float *w, const float *d_f,
                             int c, int cp, float *dw, float *db, lp_stream stream)
{
    const int64_t matrix = (int64_t)c * s->n, vectors = (int64_t)images * s->n;
    int e = LP_LAUNCH(weight_gradients, lp_blocks(matrix, BLOCK), BLOCK, 0, stream, *s, images,
                      matrix, d_f, cp, dw, db);

    if (e) return e;
    return LP_LAUNCH(vector_gradients, lp_blocks(vectors, BLOCK), BLOCK, 0, stream, *s, vectors, w,
                     d_f, c, cp);
}

static __global__ void __launch_bounds__(BLOCK)
    back(lp_tstyle st, int plane, int cp, float *__restrict__ d_x)
{
    __shared__ double root, share;
    const int64_t i = blockIdx.x;
    const float *m = st.mean + i * st.n, *s = st.v + i * st.n, *ds = st.g + i * st.n;
    double len = 0, along = 0;

    if (!threadIdx.x) {
        for (int c = 0; c < st.n; c++) {
            len += (double)m[c] * m[c];
            along += (double)ds[c] * s[c];
        }
        root = sqrt(len);
        share = along;
    }
    __syncthreads();
    for (int c = (int)threadIdx.x; c < cp; c += BLOCK)
        d_x[i * cp + c] = c < st.n ? (float)((ds[c] - s[c] * share) / (root * plane)) : 0;
}

int lp_tstyle_back_cuda(const lp_tstyle *s, int images, int plane, int cp, float *d_x,
                        lp_stream stream)
{
    return LP_LAUNCH(back, images, BLOCK, 0, stream, *s, plane, cp, d_x);
}
