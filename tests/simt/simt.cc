/* simt - the executor: fibres, their order, barriers, warp operations, asynchronous copies.
 *
 * One block at a time. A thread runs until it waits; then the next one that can run follows, in
 * the block's shuffled order of lanes, then of warps. Whoever arrives last does what all waited
 * for. With some chance another thread goes first all the same. */
#include "simt.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <mutex>
#include <sys/mman.h>
#include <ucontext.h>
#include <unistd.h>
#include <vector>

#include "simt_inside.h"
#include "simt_ptx.h"
#include "simt_switch.h"
#include "simt_test.h"

static const int MAX_THREADS = 1024;
static const size_t STACK = 128 << 10, GUARD = 4096, MAX_SHARED = 227 << 10;

uint3 threadIdx, blockIdx;
dim3 blockDim, gridDim;

extern "C" char __start_simt_shared[] __attribute__((weak));
extern "C" char __stop_simt_shared[] __attribute__((weak));

enum { READY, IN_WARP, IN_BLOCK, DONE };

struct Copy {
    void *to;
    unsigned char data[16];
    int group;
};

struct Thread {
    simt_context context;
    uint3 index;
    int warp, lane, at; /* at: its place in the order of its warp */
    int state;
    const char *op; /* what it waits for */
    unsigned mask;
    void *arg;
    void (*finish)(void *const[32], unsigned);
    const char *file;
    int line;
    int groups; /* asynchronous: committed */
    std::vector<Copy> copies;
};

struct Warp {
    uint32_t ready; /* by place in the order */
    unsigned alive, waiting;
    unsigned char lane_at[32]; /* place -> lane */
};

static struct {
    const char *kernel;
    void (*run)(void *);
    void *arg;
    Thread thread[MAX_THREADS];
    Warp warp[32];
    unsigned char order[32]; /* of warps */
    int n, n_warps, done, in_barrier, barrier_kind, barrier_sum, barrier_result;
    Thread *now, *last_arrival;
    simt_context home;
    unsigned char *shared;
    size_t shared_bytes;
    char *stacks;
    uint64_t seed, random, launches;
    bool running;
} S;

static uint64_t mix(uint64_t x)
{
    x = (x ^ (x >> 30)) * 0xbf58476d1ce4e5b9u;
    x = (x ^ (x >> 27)) * 0x94d049bb133111ebu;
    return x ^ (x >> 31);
}

static uint32_t rnd()
{
    S.random ^= S.random << 13;
    S.random ^= S.random >> 7;
    S.random ^= S.random << 17;
    return (uint32_t)(S.random >> 32);
}

static uint32_t below(uint32_t n)
{
    return (uint32_t)((uint64_t)rnd() * n >> 32);
}

void simt_fail(const char *fmt, ...)
{
    va_list ap;

    fprintf(stderr, "simt: ");
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    if (S.running)
        fprintf(stderr, "; kernel %s, block %u,%u,%u, thread %u,%u,%u", S.kernel, blockIdx.x,
                blockIdx.y, blockIdx.z, threadIdx.x, threadIdx.y, threadIdx.z);
    fprintf(stderr, "; LP_SIMT_SEED=%llu\n", (unsigned long long)S.seed);
#ifdef LP_SIMT_ASAN
    __sanitizer_print_stack_trace();
#endif
    abort();
}

static void say_seed(int status, void *)
{
    if (status)
        fprintf(stderr, "simt: the last seed was LP_SIMT_SEED=%llu\n", (unsigned long long)S.seed);
}

void simt_set_seed(uint64_t seed)
{
    static bool once;

    if (!once) on_exit(say_seed, nullptr);
    once = true;
    S.seed = seed;
    S.launches = 0;
}

int simt_next_seed(int s)
{
    const char *only = getenv("LP_SIMT_SEED");

    if (only && *only) {
        if (s < 1) simt_set_seed(strtoull(only, nullptr, 10));
        return s < 1;
    }
    if (s < SIMT_N_SEEDS) simt_set_seed((uint64_t)s);
    return s < SIMT_N_SEEDS;
}

int simt_lane()
{
    return S.now->lane;
}

int simt_thread()
{
    return S.running && S.now ? S.now->warp * 32 + S.now->lane : -1;
}

size_t simt_shared_offset(const void *p, size_t *size)
{
    size_t fixed = (size_t)(__stop_simt_shared - __start_simt_shared);
    const char *a = (const char *)p, *d = (const char *)S.shared;

    *size = fixed + S.shared_bytes;
    if (a >= __start_simt_shared && a < __stop_simt_shared)
        return (size_t)(a - __start_simt_shared);
    return d && a >= d && a < d + S.shared_bytes ? fixed + (size_t)(a - d) : (size_t)-1;
}

void *simt_shared()
{
    return S.shared;
}

void simt_check_shared(const char *op, const void *p, size_t bytes)
{
    const char *a = (const char *)p;
    bool in = (a >= (char *)S.shared && a + bytes <= (char *)S.shared + S.shared_bytes) ||
              (a >= __start_simt_shared && a + bytes <= __stop_simt_shared);

    if (!in) simt_fail("%s at %p: not in shared memory", op, p);
    if ((uintptr_t)p % 16) simt_fail("%s at %p: not aligned to 16", op, p);
#ifdef LP_SIMT_ASAN
    if (__asan_region_is_poisoned((void *)p, bytes)) simt_fail("%s at %p: beyond the array", op, p);
#endif
}

/* Who waits for what, where nobody can run. */
static void stuck()
{
    char text[1024] = "";
    size_t at = 0;
    int shown = 0;

    for (int i = 0; i < S.n && shown < 4; i++) {
        const Thread *t = &S.thread[i];

        if (t->state == IN_WARP)
            at += (size_t)snprintf(text + at, sizeof text - at,
                                   "; thread %u,%u,%u in %s of lanes %08x, of which %08x came",
                                   t->index.x, t->index.y, t->index.z, t->op, t->mask,
                                   t->mask & S.warp[t->warp].waiting);
        else if (t->state == IN_BLOCK)
            at += (size_t)snprintf(text + at, sizeof text - at,
                                   "; thread %u,%u,%u in __syncthreads, %s:%d", t->index.x,
                                   t->index.y, t->index.z, t->file, t->line);
        else
            continue;
        shown++;
    }
    simt_fail("nobody can go on%s", text);
}

/* The next thread that can run, or NULL. */
static Thread *next()
{
    Thread *t = S.now;
    Warp *w = &S.warp[t->warp];
    uint32_t later = w->ready & (t->at == 31 ? 0 : ~0u << (t->at + 1));

    if (w->ready && rnd() >> 27) /* mostly the same warp */
        return &S.thread[t->warp * 32 + w->lane_at[__builtin_ctz(later ? later : w->ready)]];
    for (int i = (int)below((uint32_t)S.n_warps), k = 0; k < S.n_warps; k++, i++) {
        if (i == S.n_warps) i = 0;
        w = &S.warp[S.order[i]];
        if (w->ready) return &S.thread[S.order[i] * 32 + w->lane_at[__builtin_ctz(w->ready)]];
    }
    return nullptr;
}

static void switch_to(Thread *to)
{
    Thread *self = S.now;

    if (to == self) return;
    S.now = to;
    threadIdx = to->index;
    simt_context_switch(&self->context, &to->context, false);
}

static void set_ready(Thread *t, bool ready)
{
    uint32_t bit = 1u << t->at;

    if (ready)
        S.warp[t->warp].ready |= bit, t->state = READY;
    else
        S.warp[t->warp].ready &= ~bit;
}

static void wait_turn()
{
    Thread *to = next();

    if (!to) stuck();
    switch_to(to);
}

void simt_yield()
{
    if (!(rnd() >> 28)) wait_turn();
}

/* Does what the lanes wait for that t waits for, if all are there. */
static bool try_warp(Thread *t)
{
    Warp *w = &S.warp[t->warp];
    unsigned m = t->mask & w->alive, i;
    void *arg[32];

    if ((w->waiting & m) != m) return false;
    for (i = 0; i < 32; i++) {
        Thread *o = &S.thread[t->warp * 32 + (int)i];

        if (!(m >> i & 1)) continue;
        if (o->mask != t->mask || strcmp(o->op, t->op)) return false;
        arg[i] = o->arg;
    }
    if (t->finish)
        t->finish(arg, m);
    else
        simt_race_warp(t->warp, m);
    w->waiting &= ~m;
    for (i = 0; i < 32; i++)
        if (m >> i & 1) set_ready(&S.thread[t->warp * 32 + (int)i], true);
    return true;
}

void simt_warp(const char *op, unsigned mask, void *arg,
               void (*finish)(void *const arg[32], unsigned mask))
{
    Thread *t = S.now;
    Warp *w = &S.warp[t->warp];

    if (!(mask >> t->lane & 1)) simt_fail("%s: lane %d is not in its mask %08x", op, t->lane, mask);
    t->op = op;
    t->mask = mask;
    t->arg = arg;
    t->finish = finish;
    t->state = IN_WARP;
    set_ready(t, false);
    w->waiting |= 1u << t->lane;
    if (try_warp(t))
        simt_yield();
    else
        wait_turn();
}

int simt_barrier(int kind, int predicate, const char *file, int line)
{
    Thread *t = S.now, *first = S.last_arrival;

    if (S.done)
        simt_fail("__syncthreads at %s:%d: %d threads of the block have returned", file, line,
                  S.done);
    if (S.in_barrier && (first->line != line || strcmp(first->file, file)))
        simt_fail("__syncthreads at %s:%d, but thread %u,%u,%u waits at %s:%d", file, line,
                  first->index.x, first->index.y, first->index.z, first->file, first->line);
    if (!S.in_barrier) S.barrier_sum = 0;
    S.barrier_sum += predicate != 0;
    t->file = file;
    t->line = line;
    t->state = IN_BLOCK;
    set_ready(t, false);
    S.last_arrival = t;
    if (++S.in_barrier == S.n) {
        S.barrier_result = kind == '|'   ? S.barrier_sum > 0
                           : kind == '&' ? S.barrier_sum == S.n
                                         : S.barrier_sum;
        S.in_barrier = 0;
        simt_race_barrier();
        for (int i = 0; i < S.n; i++) set_ready(&S.thread[i], true);
    }
    wait_turn();
    return S.barrier_result;
}

static void land(Thread *t, int groups)
{
    size_t i, k = 0;

    for (i = 0; i < t->copies.size(); i++)
        if (t->copies[i].group < groups)
            memcpy(t->copies[i].to, t->copies[i].data, 16);
        else
            t->copies[k++] = t->copies[i];
    t->copies.resize(k);
}

void simt_cp_async(void *shared, const void *data)
{
    Copy c = {shared, {0}, S.now->groups};

    memcpy(c.data, data, 16);
    S.now->copies.push_back(c);
}

void simt_cp_async_commit()
{
    S.now->groups++;
}

void simt_cp_async_wait(int n)
{
    land(S.now, S.now->groups - n);
}

static void thread_main()
{
    simt_context_arrive(&S.now->context, &S.home);
    S.run(S.arg);

    Thread *t = S.now;
    Warp *w = &S.warp[t->warp];

    if (!t->copies.empty())
        simt_fail("the thread returns before it has waited for %zu asynchronous copies",
                  t->copies.size());
    if (S.in_barrier)
        simt_fail("the thread returns, but thread %u,%u,%u waits in __syncthreads, %s:%d",
                  S.last_arrival->index.x, S.last_arrival->index.y, S.last_arrival->index.z,
                  S.last_arrival->file, S.last_arrival->line);
    set_ready(t, false);
    t->state = DONE;
    w->alive &= ~(1u << t->lane);
    S.done++;
    for (int i = 0; i < 32; i++)
        if (w->waiting >> i & 1) try_warp(&S.thread[t->warp * 32 + i]);
    if (S.done == S.n) {
        simt_context_switch(&t->context, &S.home, true);
    } else {
        Thread *to = next();

        if (!to) stuck();
        S.now = to;
        threadIdx = to->index;
        simt_context_switch(&t->context, &to->context, true);
    }
}

template <class T> static void shuffle(T *a, int n)
{
    for (int i = n - 1; i > 0; i--) {
        int k = (int)below((uint32_t)i + 1);
        T x = a[i];

        a[i] = a[k];
        a[k] = x;
    }
}

/* Patterns that are NaN as float32, bfloat16 and binary16. */
static void poison(void *p, size_t bytes)
{
    uint16_t v = S.seed & 1 ? 0x7fc1 : 0xffff, *q = (uint16_t *)p;
    size_t i;

    for (i = 0; i < bytes / 2; i++) q[i] = v;
    if (bytes & 1) ((unsigned char *)p)[bytes - 1] = 0xff;
}

static void run_block(uint64_t block)
{
    int i, k;

    blockIdx.x = (unsigned)(block % gridDim.x);
    blockIdx.y = (unsigned)(block / gridDim.x % gridDim.y);
    blockIdx.z = (unsigned)(block / gridDim.x / gridDim.y);
    S.random = mix(mix(S.seed * 0x9e3779b97f4a7c15u + S.launches) + block) | 1;
    poison(S.shared, S.shared_bytes);
    poison(__start_simt_shared, (size_t)(__stop_simt_shared - __start_simt_shared));
    for (i = 0; i < S.n_warps; i++) {
        Warp *w = &S.warp[i];
        int lanes = S.n - i * 32 < 32 ? S.n - i * 32 : 32;

        S.order[i] = (unsigned char)i;
        for (k = 0; k < lanes; k++) w->lane_at[k] = (unsigned char)k;
        shuffle(w->lane_at, lanes);
        for (k = 0; k < lanes; k++) S.thread[i * 32 + w->lane_at[k]].at = k;
        w->waiting = 0;
        w->alive = w->ready = lanes == 32 ? ~0u : (1u << lanes) - 1;
    }
    shuffle(S.order, S.n_warps);
    for (i = 0; i < S.n; i++) {
        Thread *t = &S.thread[i];

        t->index = make_uint3((unsigned)i % blockDim.x, (unsigned)i / blockDim.x % blockDim.y,
                              (unsigned)i / blockDim.x / blockDim.y);
        t->warp = i / 32;
        t->lane = i % 32;
        t->state = READY;
        t->groups = 0;
        simt_context_start(&t->context, S.stacks + (size_t)i * (STACK + GUARD) + GUARD, STACK,
                           thread_main);
    }
    S.done = S.in_barrier = 0;
    simt_race_block();
    S.now = &S.thread[S.order[0] * 32 + S.warp[S.order[0]].lane_at[0]];
    threadIdx = S.now->index;
    simt_context_switch(&S.home, &S.now->context, false);
}

static uint64_t gcd(uint64_t a, uint64_t b)
{
    return b ? gcd(b, a % b) : a;
}

static void make_stacks()
{
    size_t bytes = MAX_THREADS * (STACK + GUARD);

    if (S.stacks) return;
    S.stacks = (char *)mmap(nullptr, bytes, PROT_READ | PROT_WRITE,
                            MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
    if (S.stacks == MAP_FAILED) simt_fail("no memory for %d stacks", MAX_THREADS);
    for (int i = 0; i < MAX_THREADS; i++)
        mprotect(S.stacks + (size_t)i * (STACK + GUARD), GUARD, PROT_NONE);
}

int simt_run(const char *name, dim3 grid, dim3 block, size_t shared, void (*thread)(void *),
             void *arg)
{
    uint64_t n = (uint64_t)grid.x * grid.y * grid.z, i, step, at;
    static std::recursive_mutex one_at_a_time; /* the host may have several threads */
    std::lock_guard<std::recursive_mutex> lock(one_at_a_time);

    if (S.running) simt_fail("kernel %s launched from a kernel", name);
    if (int e = simt_kernel_starts()) return e < 0 ? (int)cudaSuccess : e;
    if (block.x > 1024 || block.y > 1024 || block.z > 64 ||
        (uint64_t)block.x * block.y * block.z > 1024 || shared > MAX_SHARED) {
        fprintf(stderr, "simt: kernel %s: block %u x %u x %u with %zu bytes of shared memory\n",
                name, block.x, block.y, block.z, shared);
        return cudaErrorInvalidConfiguration;
    }
    make_stacks();
    S.kernel = name;
    S.run = thread;
    S.arg = arg;
    gridDim = grid;
    blockDim = block;
    S.n = (int)(block.x * block.y * block.z);
    S.n_warps = (S.n + 31) / 32;
    S.launches++;
    S.shared_bytes = shared;
    if (shared && posix_memalign((void **)&S.shared, 128, shared)) simt_fail("no memory");
    /* Block at + i step modulo n: all of them once, as step and n have no common factor. */
    S.random = mix(S.seed * 0x9e3779b97f4a7c15u + S.launches) | 1;
    at = (((uint64_t)rnd() << 32) + rnd()) % n;
    do {
        step = n > 1 ? 1 + (((uint64_t)rnd() << 32) + rnd()) % (n - 1) : 1;
    } while (gcd(step, n) != 1);
    S.running = true;
    S.home.bottom = nullptr;
    for (i = 0; i < n; i++, at = (at + step) % n) run_block(at);
    S.running = false;
    if (shared) free(S.shared);
    S.shared = nullptr;
    return cudaSuccess;
}
