/* simt_graph - stream capture and graphs of CUDA's runtime, for the executor.
 *
 * A capture takes launches, copies and fills; a replay does them in their order with the arguments
 * of then. What CUDA forbids or leaves open is stricter here: a replay ends the program where
 * device memory that an argument points to was freed since, whether or not the kernel reads it. */
#include "simt_graph.h"

#include <functional>
#include <mutex>
#include <string.h>
#include <thread>
#include <vector>

#include "simt_record.h"
#include "simt_test.h"

struct Node {
    const char *name;
    std::function<int()> run;
    std::vector<const void *> uses; /* device memory */
};
struct CUgraph_st {
    std::vector<Node> nodes;
};
struct CUgraphExec_st {
    std::vector<Node> nodes;
};
struct Capture {
    cudaStream_t stream;
    std::thread::id thread;
    CUgraph_st *graph;
    bool spoiled;
};

static struct {
    std::vector<Capture> captures;
    simt_graph_counts counts;
    char fail;
    std::recursive_mutex lock;
} G;
typedef std::lock_guard<std::recursive_mutex> locked;

simt_graph_counts simt_graphs(void)
{
    locked l(G.lock);

    return G.counts;
}

void simt_fail_graphs(char call)
{
    locked l(G.lock);

    G.fail = call;
}

static Capture *capture_of(cudaStream_t s)
{
    for (Capture &c : G.captures)
        if (s && c.stream == s) return &c;
    return nullptr;
}

static cudaError_t spoil(const std::function<bool(const Capture &)> &which)
{
    locked l(G.lock);
    cudaError_t e = cudaSuccess;

    for (Capture &c : G.captures)
        if (which(c)) {
            c.spoiled = true;
            e = cudaErrorStreamCaptureUnsupported;
        }
    return e;
}

cudaError_t simt_unsafe()
{
    return spoil([](const Capture &c) { return c.thread == std::this_thread::get_id(); });
}

cudaError_t simt_unsafe_anywhere()
{
    return spoil([](const Capture &) { return true; });
}

cudaError_t simt_unsafe_on(cudaStream_t s)
{
    return spoil([s](const Capture &c) { return s && c.stream == s; });
}

bool simt_recording(lp_stream s)
{
    locked l(G.lock);

    return capture_of(s) != nullptr;
}

int simt_record(lp_stream s, const char *name, const std::function<int()> &run, const void *args,
                size_t bytes)
{
    locked l(G.lock);
    Capture *c = capture_of(s);
    Node n = {name, run, {}};
    size_t i;

    if (!c || c->spoiled) return cudaErrorStreamCaptureInvalidated;
    for (i = 0; i + sizeof(void *) <= bytes; i += sizeof(void *)) {
        const void *p;

        memcpy(&p, (const char *)args + i, sizeof p);
        if (simt_device_live(p)) n.uses.push_back(p);
    }
    c->graph->nodes.push_back(n);
    return cudaSuccess;
}

int simt_queue(void *stream, int (*run)(void *), const void *args, size_t bytes)
{
    std::vector<char> copy((const char *)args, (const char *)args + bytes);
    auto call = [=]() mutable { return run(copy.data()); };

    if (!simt_recording((lp_stream)stream)) return call();
    return simt_record((lp_stream)stream, "call", call, args, bytes);
}

extern "C" {

cudaError_t cudaStreamBeginCapture(cudaStream_t s, enum cudaStreamCaptureMode mode)
{
    locked l(G.lock);

    if (G.fail == 'b') return cudaErrorNotSupported;
    if (!s || mode != cudaStreamCaptureModeThreadLocal || capture_of(s))
        return cudaErrorStreamCaptureUnsupported;
    G.captures.push_back({s, std::this_thread::get_id(), new CUgraph_st(), false});
    return cudaSuccess;
}

cudaError_t cudaStreamEndCapture(cudaStream_t s, cudaGraph_t *graph)
{
    locked l(G.lock);
    Capture *c = capture_of(s), k;

    *graph = nullptr;
    if (!c) return cudaErrorInvalidValue;
    if (c->thread != std::this_thread::get_id()) return cudaErrorStreamCaptureWrongThread;
    k = *c;
    G.captures.erase(G.captures.begin() + (c - G.captures.data()));
    if (k.spoiled || G.fail == 'e') {
        delete k.graph;
        return cudaErrorStreamCaptureInvalidated;
    }
    G.counts.captured++;
    G.counts.live++;
    *graph = k.graph;
    return cudaSuccess;
}

cudaError_t cudaGraphDestroy(cudaGraph_t graph)
{
    locked l(G.lock);

    G.counts.live--;
    delete graph;
    return cudaSuccess;
}

cudaError_t cudaGraphInstantiate(cudaGraphExec_t *exec, cudaGraph_t graph, unsigned long long)
{
    locked l(G.lock);

    if (G.fail == 'i') return cudaErrorMemoryAllocation;
    *exec = new CUgraphExec_st{graph->nodes};
    G.counts.made++;
    G.counts.live++;
    return cudaSuccess;
}

cudaError_t cudaGraphExecUpdate(cudaGraphExec_t exec, cudaGraph_t graph,
                                cudaGraphExecUpdateResultInfo *info)
{
    locked l(G.lock);
    bool same = exec->nodes.size() == graph->nodes.size() && G.fail != 'u';

    memset(info, 0, sizeof *info);
    for (size_t i = 0; same && i < exec->nodes.size(); i++)
        same = !strcmp(exec->nodes[i].name, graph->nodes[i].name);
    if (!same) return cudaErrorGraphExecUpdateFailure;
    exec->nodes = graph->nodes;
    G.counts.updated++;
    return cudaSuccess;
}

cudaError_t cudaGraphExecDestroy(cudaGraphExec_t exec)
{
    locked l(G.lock);

    G.counts.live--;
    delete exec;
    return cudaSuccess;
}

cudaError_t cudaGraphLaunch(cudaGraphExec_t exec, cudaStream_t s)
{
    cudaError_t e = simt_unsafe_on(s);

    if (e) return e;
    {
        locked l(G.lock);

        if (G.fail == 'l') return cudaErrorMemoryAllocation;
        G.counts.launched++;
    }
    for (const Node &n : exec->nodes)
        for (const void *p : n.uses)
            if (!simt_device_live(p))
                simt_fail("a graph is replayed whose %s uses device memory that was freed", n.name);
    for (const Node &n : exec->nodes)
        if ((e = (cudaError_t)n.run())) return e;
    return cudaSuccess;
}
}
