#include "cudnn_graph.h"

#include <dlfcn.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Of cudnn_graph.h, version 9. */
enum { /* kinds of descriptor */
       POINTWISE = 0,
       CONVOLUTION = 1,
       ENGINECFG = 3,
       ENGINEHEUR = 4,
       PLAN = 5,
       OP_CONVOLUTION = 10,
       OP_POINTWISE = 13,
       GRAPH = 15,
       PACK = 16,
       TENSOR = 17
};
enum { /* attributes */
       POINTWISE_MODE = 0,
       POINTWISE_MATH = 1,
       CONV_COMPUTE = 100,
       CONV_MODE = 101,
       CONV_DILATIONS = 102,
       CONV_STRIDES = 103,
       CONV_POST = 104,
       CONV_PRE = 105,
       CONV_DIMS = 106,
       HEUR_MODE = 200,
       HEUR_GRAPH = 201,
       HEUR_RESULTS = 202,
       PLAN_HANDLE = 400,
       PLAN_CONFIG = 401,
       PLAN_WORK = 402,
       OP_CONV_ALPHA = 700,
       OP_CONV_BETA = 701,
       OP_CONV_DESC = 702,
       OP_CONV_W = 703,
       OP_CONV_X = 704,
       OP_CONV_Y = 705,
       OP_POINTWISE_DESC = 750,
       OP_POINTWISE_X = 751,
       OP_POINTWISE_B = 752,
       OP_POINTWISE_Y = 753,
       GRAPH_HANDLE = 800,
       GRAPH_OPS = 801,
       TENSOR_ALIGNMENT = 900,
       TENSOR_TYPE = 901,
       TENSOR_DIMS = 902,
       TENSOR_STRIDES = 903,
       TENSOR_ID = 906,
       TENSOR_VIRTUAL = 907,
       PACK_IDS = 1000,
       PACK_POINTERS = 1001,
       PACK_WORK = 1003
};
enum { /* types of attributes */
       T_HANDLE = 0,
       T_DATA_TYPE = 1,
       T_BOOLEAN = 2,
       T_INT64 = 3,
       T_FLOAT = 4,
       T_POINTER = 6,
       T_CONV_MODE = 7,
       T_HEUR_MODE = 8,
       T_POINTWISE_MODE = 14,
       T_DESCRIPTOR = 15
};
enum { DATA_FLOAT = 0, DATA_BFLOAT16 = 9, CROSS_CORRELATION = 1, MODE_A = 3 };
enum { ADD = 0, MUL = 1, RELU = 100 };
enum { MAX_OPS = 10, MAX_ARRAYS = 9, MAX_DESCRIPTORS = 64, MAX_CONFIGS = 16 };

struct cudnn_graphs {
    void *library, *handle;
    int (*create)(void **handle);
    int (*destroy)(void *handle);
    const char *(*text)(int status);
    int (*new)(int kind, void **d);
    int (*free)(void *d);
    int (*set)(void *d, int attribute, int type, int64_t n, const void *v);
    int (*get)(const void *d, int attribute, int type, int64_t n, int64_t *had, void *v);
    int (*end)(void *d);
    int (*execute)(void *handle, void *plan, void *pack);
};

struct cudnn_fused {
    cudnn_graphs *g;
    void *descriptor[MAX_DESCRIPTORS]; /* all but plans */
    int n_descriptors;
    void *op[MAX_OPS];
    int n_ops;
    int64_t id[MAX_ARRAYS]; /* of the arrays */
    void *array[MAX_ARRAYS];
    int n_arrays;
    int64_t ids;
    int small, between; /* types of scale ... shift2, and of what no array holds */
    int e;              /* the first failure, after which nothing is done */
    void *plan[CUDNN_PLANS], *pack;
    int n_plans;
};

static const struct {
    const char *name;
    size_t at;
} table[] = {
    {"cudnnCreate", offsetof(cudnn_graphs, create)},
    {"cudnnDestroy", offsetof(cudnn_graphs, destroy)},
    {"cudnnGetErrorString", offsetof(cudnn_graphs, text)},
    {"cudnnBackendCreateDescriptor", offsetof(cudnn_graphs, new)},
    {"cudnnBackendDestroyDescriptor", offsetof(cudnn_graphs, free)},
    {"cudnnBackendSetAttribute", offsetof(cudnn_graphs, set)},
    {"cudnnBackendGetAttribute", offsetof(cudnn_graphs, get)},
    {"cudnnBackendFinalize", offsetof(cudnn_graphs, end)},
    {"cudnnBackendExecute", offsetof(cudnn_graphs, execute)},
};

void cudnn_graphs_close(cudnn_graphs **pg)
{
    cudnn_graphs *g = *pg;

    if (!g) return;
    if (g->handle) g->destroy(g->handle);
    if (g->library) dlclose(g->library);
    free(g);
    *pg = NULL;
}

lp_status cudnn_graphs_open(const char *library, cudnn_graphs **out, lp_err *err)
{
    cudnn_graphs *g = calloc(1, sizeof *g);
    lp_status st = LP_OK;
    size_t i;
    int e;

    if (!g) return lp_fail_mem(err, "cuDNN", sizeof *g);
    if (!(g->library = dlopen(library, RTLD_NOW | RTLD_LOCAL))) {
        st = lp_fail(err, LP_EMISSING, "%s", dlerror());
        goto done;
    }
    for (i = 0; i < sizeof table / sizeof *table; i++) {
        void *f = dlsym(g->library, table[i].name);

        if (!f) {
            st = lp_fail(err, LP_EMISSING, "%s has no %s", library, table[i].name);
            goto done;
        }
        memcpy((char *)g + table[i].at, &f, sizeof f);
    }
    if ((e = g->create(&g->handle))) {
        g->handle = NULL;
        st = lp_fail(err, LP_EMISSING, "%s: %s", library, g->text(e));
        goto done;
    }
    *out = g;
    g = NULL;
done:
    cudnn_graphs_close(&g);
    return st;
}

static void *new_descriptor(cudnn_fused *f, int kind)
{
    void *d = NULL;

    if (!f->e && f->n_descriptors == MAX_DESCRIPTORS) f->e = -1;
    if (!f->e) f->e = f->g->new (kind, &d);
    if (!f->e) f->descriptor[f->n_descriptors++] = d;
    return d;
}

static void set(cudnn_fused *f, void *d, int attribute, int type, int64_t n, const void *v)
{
    if (!f->e) f->e = f->g->set(d, attribute, type, n, v);
}

static void set_int(cudnn_fused *f, void *d, int attribute, int type, int v)
{
    set(f, d, attribute, type, 1, &v);
}

static void set_descriptor(cudnn_fused *f, void *d, int attribute, void *v)
{
    set(f, d, attribute, T_DESCRIPTOR, 1, &v);
}

static void end(cudnn_fused *f, void *d)
{
    if (!f->e) f->e = f->g->end(d);
}

/* A tensor [n][c][h][w], channels last in memory; array NULL: between two steps only. */
static void *tensor(cudnn_fused *f, const void *array, int type, int n, int c, int h, int w)
{
    int64_t dims[4] = {n, c, h, w}, align = 16, id = ++f->ids;
    int64_t strides[4] = {(int64_t)h * w * c, 1, (int64_t)w * c, c};
    void *d = new_descriptor(f, TENSOR);
    unsigned char is_virtual = !array;

    set_int(f, d, TENSOR_TYPE, T_DATA_TYPE, type);
    set(f, d, TENSOR_DIMS, T_INT64, 4, dims);
    set(f, d, TENSOR_STRIDES, T_INT64, 4, strides);
    set(f, d, TENSOR_ID, T_INT64, 1, &id);
    set(f, d, TENSOR_ALIGNMENT, T_INT64, 1, &align);
    set(f, d, TENSOR_VIRTUAL, T_BOOLEAN, 1, &is_virtual);
    end(f, d);
    if (array && f->n_arrays < MAX_ARRAYS) {
        f->id[f->n_arrays] = id;
        f->array[f->n_arrays++] = (void *)(uintptr_t)array;
    }
    return d;
}

static void add_op(cudnn_fused *f, void *op)
{
    end(f, op);
    if (f->n_ops < MAX_OPS)
        f->op[f->n_ops++] = op;
    else
        f->e = -1;
}

/* y = mode(x, b), b NULL where it takes one. */
static void pointwise(cudnn_fused *f, int mode, void *x, void *b, void *y)
{
    void *how = new_descriptor(f, POINTWISE), *op;

    set_int(f, how, POINTWISE_MODE, T_POINTWISE_MODE, mode);
    set_int(f, how, POINTWISE_MATH, T_DATA_TYPE, DATA_FLOAT);
    end(f, how);
    op = new_descriptor(f, OP_POINTWISE);
    set_descriptor(f, op, OP_POINTWISE_DESC, how);
    set_descriptor(f, op, OP_POINTWISE_X, x);
    if (b) set_descriptor(f, op, OP_POINTWISE_B, b);
    set_descriptor(f, op, OP_POINTWISE_Y, y);
    add_op(f, op);
}

static void convolution(cudnn_fused *f, int side, void *x, void *k, void *y)
{
    const int64_t ones[2] = {1, 1}, pads[2] = {side / 2, side / 2}, dims = 2;
    const float one = 1, zero = 0;
    void *how = new_descriptor(f, CONVOLUTION), *op;

    set_int(f, how, CONV_COMPUTE, T_DATA_TYPE, DATA_FLOAT);
    set_int(f, how, CONV_MODE, T_CONV_MODE, CROSS_CORRELATION);
    set(f, how, CONV_DILATIONS, T_INT64, 2, ones);
    set(f, how, CONV_STRIDES, T_INT64, 2, ones);
    set(f, how, CONV_PRE, T_INT64, 2, pads);
    set(f, how, CONV_POST, T_INT64, 2, pads);
    set(f, how, CONV_DIMS, T_INT64, 1, &dims);
    end(f, how);
    op = new_descriptor(f, OP_CONVOLUTION);
    set_descriptor(f, op, OP_CONV_DESC, how);
    set_descriptor(f, op, OP_CONV_X, x);
    set_descriptor(f, op, OP_CONV_W, k);
    set_descriptor(f, op, OP_CONV_Y, y);
    set(f, op, OP_CONV_ALPHA, T_FLOAT, 1, &one);
    set(f, op, OP_CONV_BETA, T_FLOAT, 1, &zero);
    add_op(f, op);
}

static void *small(cudnn_fused *f, const void *array, int c)
{
    return tensor(f, array, f->small, 1, c, 1, 1);
}

/* The steps of l, in order. `left` counts those after the convolution: the last one gives y. */
static void steps(cudnn_fused *f, const cudnn_layer *l)
{
    const int n = l->n, h = l->h, w = l->w, ci = l->cin, co = l->cout;
    const struct {
        int mode, is_small;
        const void *array;
    } after[] = {{ADD, 1, l->b},
                 {ADD, 0, l->res},
                 {MUL, 1, l->scale2},
                 {ADD, 1, l->shift2},
                 {RELU, 0, NULL}};
    int left = !!l->b + !!l->res + 2 * !!l->scale2 + !!l->relu, i;
    void *v = tensor(f, l->x, DATA_BFLOAT16, n, ci, h, w), *to;

    for (i = 0; i < 3 && l->scale; i++, v = to) {
        to = tensor(f, NULL, f->between, n, ci, h, w);
        pointwise(f,
                  i == 0   ? MUL
                  : i == 1 ? ADD
                           : RELU,
                  v, i == 2 ? NULL : small(f, i ? l->shift : l->scale, ci), to);
    }
    to = tensor(f, left ? NULL : l->y, left ? f->between : DATA_BFLOAT16, n, co, h, w);
    convolution(f, l->side, v, tensor(f, l->k, DATA_BFLOAT16, co, ci, l->side, l->side), to);
    for (i = 0, v = to; i < 5; i++) {
        void *b = NULL;

        if (after[i].mode == RELU ? !l->relu : !after[i].array) continue;
        if (after[i].mode != RELU)
            b = after[i].is_small ? small(f, after[i].array, co)
                                  : tensor(f, after[i].array, DATA_BFLOAT16, n, co, h, w);
        left--;
        to = tensor(f, left ? NULL : l->y, left ? f->between : DATA_BFLOAT16, n, co, h, w);
        pointwise(f, after[i].mode, v, b, to);
        v = to;
    }
}

/* A plan for the configuration, where its engine takes it and there is room. */
static void try_plan(cudnn_fused *f, void *config, size_t work)
{
    const cudnn_graphs *g = f->g;
    int64_t bytes = 0, had;
    void *p = NULL;

    if (g->new (PLAN, &p)) return;
    if (!g->set(p, PLAN_HANDLE, T_HANDLE, 1, &g->handle) &&
        !g->set(p, PLAN_CONFIG, T_DESCRIPTOR, 1, &config) && !g->end(p) &&
        !g->get(p, PLAN_WORK, T_INT64, 1, &had, &bytes) && bytes <= (int64_t)work)
        f->plan[f->n_plans++] = p;
    else
        g->free(p);
}

static void find_plans(cudnn_fused *f, size_t work)
{
    void *graph = new_descriptor(f, GRAPH), *heuristics, *config[MAX_CONFIGS];
    int64_t n = 0, i;

    set(f, graph, GRAPH_HANDLE, T_HANDLE, 1, &f->g->handle);
    set(f, graph, GRAPH_OPS, T_DESCRIPTOR, f->n_ops, f->op);
    end(f, graph);
    heuristics = new_descriptor(f, ENGINEHEUR);
    set_descriptor(f, heuristics, HEUR_GRAPH, graph);
    set_int(f, heuristics, HEUR_MODE, T_HEUR_MODE, MODE_A);
    end(f, heuristics);
    for (i = 0; i < MAX_CONFIGS; i++) config[i] = new_descriptor(f, ENGINECFG);
    if (!f->e) f->e = f->g->get(heuristics, HEUR_RESULTS, T_DESCRIPTOR, MAX_CONFIGS, &n, config);
    for (i = 0; i < n && i < MAX_CONFIGS && !f->e && f->n_plans < CUDNN_PLANS; i++)
        try_plan(f, config[i], work);
}

static void make_pack(cudnn_fused *f, void *d_work)
{
    f->pack = new_descriptor(f, PACK);
    set(f, f->pack, PACK_IDS, T_INT64, f->n_arrays, f->id);
    set(f, f->pack, PACK_POINTERS, T_POINTER, f->n_arrays, f->array);
    set(f, f->pack, PACK_WORK, T_POINTER, 1, &d_work);
    end(f, f->pack);
}

void cudnn_fused_free(cudnn_fused **pf)
{
    cudnn_fused *f = *pf;

    if (!f) return;
    while (f->n_plans) f->g->free(f->plan[--f->n_plans]);
    while (f->n_descriptors) f->g->free(f->descriptor[--f->n_descriptors]);
    free(f);
    *pf = NULL;
}

lp_status cudnn_fused_new(cudnn_graphs *g, const cudnn_layer *layer, void *d_work, size_t work,
                          cudnn_fused **out, lp_err *err)
{
    int way, e = 0;

    /* Engines differ in the types that they take. */
    for (way = 0; way < 4; way++) {
        cudnn_fused *f = calloc(1, sizeof *f);

        if (!f) return lp_fail_mem(err, "cuDNN", sizeof *f);
        f->g = g;
        f->small = way & 1 ? DATA_BFLOAT16 : DATA_FLOAT;
        f->between = way & 2 ? DATA_BFLOAT16 : DATA_FLOAT;
        steps(f, layer);
        find_plans(f, work);
        make_pack(f, d_work);
        if (!f->e && f->n_plans) {
            *out = f;
            return LP_OK;
        }
        e = f->e;
        cudnn_fused_free(&f);
    }
    return lp_fail(err, LP_EMISSING, "no such engine%s%s", e > 0 ? ": " : "",
                   e > 0 ? g->text(e) : "");
}

int cudnn_fused_plans(const cudnn_fused *f)
{
    return f->n_plans;
}

int cudnn_fused_run(const cudnn_fused *f, int plan)
{
    return f->g->execute(f->g->handle, f->plan[plan], f->pack);
}
