/* host/graphs_cuda.c on the executor's runtime: what is captured, replayed, changed and dropped,
 * and that whatever fails, the work is done. */
#include "../lp_test.h"
#include "simt_test.h"

#include <cuda_runtime_api.h>
#include <signal.h>
#include <sys/wait.h>

#include "host/graphs_cuda.h"
#include "kernels/resize.h"

enum { N = 6, KEYS = 40 };

/* y = x, doubled in size, plus what a fill left; spoil is called in the middle. */
typedef struct {
    float *x, *y, *tmp;
    int calls, n;
    int (*spoil)(lp_stream stream);
    int fail; /* the error of this call, counted from 1 */
} work;

static int queue(void *user, lp_stream stream)
{
    work *w = user;
    int e;

    w->calls++;
    if (w->fail == w->calls || w->fail < 0) return cudaErrorInvalidValue;
    if ((e = cudaMemsetAsync(w->tmp, 0, N * N * sizeof(float), stream))) return e;
    if ((e = cudaMemcpyAsync(w->tmp, w->x, (size_t)w->n * sizeof(float), cudaMemcpyDeviceToDevice,
                             stream)))
        return e;
    if (w->spoil && (e = w->spoil(stream))) return e;
    return lp_resize_cuda(w->y, w->tmp, 1, N, N, 2 * N, 2 * N, stream);
}

static void *device(size_t bytes)
{
    void *p = NULL;

    assert_int_equal(cudaMalloc(&p, bytes), 0);
    return p;
}

static lp_stream stream(void)
{
    cudaStream_t s = NULL;

    assert_int_equal(cudaStreamCreateWithFlags(&s, cudaStreamNonBlocking), 0);
    return s;
}

static work new_work(int n)
{
    work w = {.n = n};

    w.x = device(N * N * sizeof(float));
    w.tmp = device(N * N * sizeof(float));
    w.y = device(4 * N * N * sizeof(float));
    return w;
}

static void free_work(work *w)
{
    cudaFree(w->x);
    cudaFree(w->tmp);
    cudaFree(w->y);
}

static lp_graphs *new_graphs(void)
{
    lp_graphs *g = NULL;

    assert_int_equal(lp_graphs_new(&g, NULL), LP_OK);
    return g;
}

static lp_graph_key key_of(const work *w)
{
    return (lp_graph_key){w->n, N, N, w->x, w->y, NULL};
}

/* Runs it with inputs made from t, and compares. */
static void run(lp_graphs *g, work *w, lp_stream s, int t)
{
    float in[N * N] = {0}, ref[4 * N * N];
    lp_graph_key k = key_of(w);
    int i;

    for (i = 0; i < N * N; i++) w->x[i] = (float)((i * 31 + t * 17) % 101);
    for (i = 0; i < w->n; i++) in[i] = w->x[i];
    lp_resize_ref(ref, in, 1, N, N, 2 * N, 2 * N);
    memset(w->y, 0xff, sizeof ref);
    assert_int_equal(lp_graphs_run(g, &k, queue, w, s), 0);
    assert_memory_equal(w->y, ref, sizeof ref);
}

static void replays(void **state)
{
    simt_graph_counts before = simt_graphs(), now;
    lp_graphs *g = new_graphs();
    lp_stream s = stream();
    work w = new_work(20), other = new_work(20);
    int t;

    (void)state;
    for (t = 0; t < 6; t++) run(g, &w, s, t);
    assert_int_equal(w.calls, 2); /* plainly, then captured */
    now = simt_graphs();
    assert_int_equal(now.captured - before.captured, 1);
    assert_int_equal(now.launched - before.launched, 5);
    /* Another n, and other memory, are other keys. */
    w.n = 10;
    for (t = 0; t < 3; t++) run(g, &w, s, t);
    for (t = 0; t < 3; t++) run(g, &other, s, t);
    w.n = 20;
    run(g, &w, s, 9);
    assert_int_equal(w.calls, 4);
    assert_int_equal(other.calls, 2);
    assert_int_equal(simt_graphs().made - before.made, 3);
    lp_graphs_clear(g);
    run(g, &w, s, 10);
    assert_int_equal(w.calls, 5);
    /* Nothing can be captured on the default stream. */
    for (t = 0; t < 4; t++) run(g, &w, NULL, t);
    assert_int_equal(w.calls, 9);
    lp_graphs_free(&g);
    assert_null(g);
    lp_graphs_free(&g);
    cudaStreamDestroy(s);
    free_work(&w);
    free_work(&other);
    assert_int_equal(simt_graphs().live, 0);
}

/* More keys than places: graphs are changed, or, where that fails, made anew. */
static void bounded(void **state)
{
    int way, k, t;

    (void)state;
    for (way = 0; way < 2; way++) {
        simt_graph_counts before = simt_graphs(), now;
        lp_graphs *g = new_graphs();
        lp_stream s = stream();
        work w[KEYS];

        simt_fail_graphs(way ? 'u' : 0);
        for (k = 0; k < KEYS; k++) {
            w[k] = new_work(1 + k % (N * N));
            for (t = 0; t < 3; t++) run(g, &w[k], s, k + t);
            assert_true(simt_graphs().live <= LP_GRAPHS);
        }
        now = simt_graphs();
        assert_int_equal(now.made - before.made, way ? KEYS : LP_GRAPHS);
        assert_int_equal(now.updated - before.updated, way ? 0 : KEYS - LP_GRAPHS);
        /* The latest are there, the first is not, and is right all the same. */
        for (k = KEYS - LP_GRAPHS; k < KEYS; k++) run(g, &w[k], s, k);
        assert_int_equal(simt_graphs().captured, now.captured);
        for (t = 0; t < 3; t++) run(g, &w[0], s, t);
        assert_int_equal(w[0].calls, 4);
        for (k = 0; k < KEYS; k++) free_work(&w[k]);
        lp_graphs_free(&g);
        simt_fail_graphs(0);
        cudaStreamDestroy(s);
        assert_int_equal(simt_graphs().live, 0);
    }
}

static void failures(void **state)
{
    static const char call[] = "beil";
    int i, t;

    (void)state;
    for (i = 0; call[i]; i++) {
        lp_graphs *g = new_graphs();
        lp_stream s = stream();
        work w = new_work(30), once = new_work(8);
        int captured;

        simt_fail_graphs(call[i]);
        for (t = 0; t < 3; t++) run(g, &w, s, t); /* fails once */
        simt_fail_graphs(0);
        for (t = 0; t < 4; t++) run(g, &once, s, t);
        assert_int_equal(once.calls, 2);
        simt_fail_graphs(call[i]);
        for (t = 0; t < 9; t++) run(g, &w, s, t);
        simt_fail_graphs(0);
        captured = simt_graphs().captured;
        for (t = 0; t < 4; t++) run(g, &w, s, t); /* three failures: no more */
        assert_int_equal(simt_graphs().captured, captured);
        lp_graphs_free(&g);
        cudaStreamDestroy(s);
        free_work(&w);
        free_work(&once);
        assert_int_equal(simt_graphs().live, 0);
    }
}

static int waits(lp_stream s)
{
    (void)cudaStreamSynchronize(s); /* the caller does not even look */
    return 0;
}

static int waits_for_all(lp_stream s)
{
    (void)s;
    return cudaDeviceSynchronize(), 0;
}

static int allocates(lp_stream s)
{
    void *p = NULL;

    (void)s;
    if (!cudaMalloc(&p, 8)) cudaFree(p);
    return 0;
}

static int copies_at_once(lp_stream s)
{
    char a[2] = {0};

    (void)s;
    return cudaMemcpy(a, a + 1, 1, cudaMemcpyHostToDevice), 0;
}

static int records(lp_stream s)
{
    cudaEvent_t e = NULL;

    if (cudaEventCreateWithFlags(&e, cudaEventDisableTiming)) return 1;
    (void)cudaEventRecord(e, s);
    cudaEventDestroy(e);
    return 0;
}

/* What must not be called during a capture spoils it, and the work is done plainly. */
static void illegal(void **state)
{
    static int (*const bad[])(lp_stream) = {waits, waits_for_all, allocates, copies_at_once,
                                            records};
    size_t i;
    int t;

    (void)state;
    simt_only("what a capture takes offence at");
    for (i = 0; i < sizeof bad / sizeof *bad; i++) {
        lp_graphs *g = new_graphs();
        lp_stream s = stream();
        work w = new_work(30);
        int launched = simt_graphs().launched;

        w.spoil = bad[i];
        for (t = 0; t < 8; t++) run(g, &w, s, t);
        assert_int_equal(simt_graphs().launched, launched);
        lp_graphs_free(&g);
        cudaStreamDestroy(s);
        free_work(&w);
    }
}

/* An error of a launch is the caller's affair, in whichever call it happens. */
static void errors(void **state)
{
    lp_graphs *g = new_graphs();
    lp_stream s = stream();
    work w = new_work(30);
    lp_graph_key k = key_of(&w);
    int t;

    (void)state;
    w.fail = -1;
    for (t = 0; t < 4; t++)
        assert_int_equal(lp_graphs_run(g, &k, queue, &w, s), cudaErrorInvalidValue);
    lp_graphs_free(&g);
    g = new_graphs();
    w.calls = 0;
    w.fail = 2; /* in the capture only */
    for (t = 0; t < 6; t++) run(g, &w, s, t);
    assert_int_equal(w.calls, 5); /* plain, failed capture, plain, plain, captured */
    lp_graphs_free(&g);
    cudaStreamDestroy(s);
    free_work(&w);
    assert_int_equal(simt_graphs().live, 0);
}

/* A replay after memory of it was freed must not pass unnoticed. */
static void freed(void **state)
{
    FILE *err = tmpfile();
    char text[4096];
    size_t n;
    int status, t;
    pid_t pid;

    (void)state;
    simt_only("a watch over what graphs use");
    assert_non_null(err);
    fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (!pid) {
        lp_graphs *g = new_graphs();
        lp_stream s = stream();
        work w = new_work(30);
        lp_graph_key k = key_of(&w);

        signal(SIGABRT, SIG_DFL); /* not cmocka's */
        dup2(fileno(err), 2);
        /* Not run(): the twin's threads do not survive a fork. */
        for (t = 0; t < 3; t++)
            if (lp_graphs_run(g, &k, queue, &w, s)) _exit(1);
        cudaFree(w.tmp);
        (void)lp_graphs_run(g, &k, queue, &w, s);
        _exit(0);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    rewind(err);
    n = fread(text, 1, sizeof text - 1, err);
    text[n] = 0;
    fclose(err);
    assert_true(WIFSIGNALED(status));
    if (!strstr(text, "uses device memory that was freed")) fail_msg("%s", text);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(replays), cmocka_unit_test(bounded), cmocka_unit_test(failures),
        cmocka_unit_test(illegal), cmocka_unit_test(errors),  cmocka_unit_test(freed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
