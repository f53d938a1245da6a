/* simt_test - what tests set of the executor.
 *
 * Every launch draws from a seed the order in which blocks, warps and lanes run. A test of a
 * kernel runs it under each seed of SIMT_SEEDS and wants the same bits:
 *
 *     SIMT_SEEDS(s) { ...launch, compare... }
 *
 * The same tests run on a GPU (make test-kernels-gpu: LP_ON_GPU, tests/gpu). There a seed is only
 * one more time, and what the GPU cannot be made to do skips the test.
 *
 * LP_SIMT_SEED=N in the environment makes it the one seed N; a test program that fails prints
 * the seed of its last launch. */
#ifndef SIMT_TEST_H
#define SIMT_TEST_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether this build looks for races (simt_race.cc) instead of running under sanitizers. */
#ifdef LP_SIMT_RACE
#define SIMT_RACE 1
#define SIMT_N_SEEDS 2
#else
#define SIMT_RACE 0
#define SIMT_N_SEEDS 3
#endif

#define SIMT_SEEDS(s) for (int s = 0; simt_next_seed(s); s++)

/* Sets seed s of the list; 0 where there are no more. */
int simt_next_seed(int s);
void simt_set_seed(uint64_t seed);

/* Skips the test on a GPU, before it allocates anything. what: that it needs. */
#ifdef LP_ON_GPU
void simt_only(const char *what);
#else
static inline void simt_only(const char *what)
{
    (void)what;
}
#endif

/* Rows of ldmatrix, since the program began, that had to be read after others of their matrix
 * because they lie in the same banks of shared memory. */
long simt_bank_conflicts(void);

/* What CUDA's runtime finds (simt_runtime.cc). NULL: the default. */
typedef struct {
    int devices;
    int driver;     /* CUDA version * 1000; 0: none installed */
    int capability; /* 90 is 9.0 */
    size_t memory;  /* bytes of each device */
    int fail_alloc; /* allocations from now on that succeed; -1: all that fit */
} simt_machine;
void simt_set_machine(const simt_machine *m);
/* Bytes that are taken from the device, also by pools that only keep them; the most since the
 * machine was set; and how many pieces, streams and events there are. */
size_t simt_device_memory_used(void);
size_t simt_device_memory_peak(void);
size_t simt_device_objects(void);
/* Copies and waits of streams that have not been waited for. */
size_t simt_pending(void);
/* After so many kernels more the device is lost, until a machine is set; of several, this one. */
void simt_lose_device(long kernels);
void simt_lose_one(int device, long kernels);
/* After so many kernels more of a device they are left out and new memory is zeros, until a machine
 * is set: for what the host does around them. */
void simt_skip_kernels(long kernels);
/* The device's clock: kernels since the program began. */
void simt_clock(size_t *ms);

/* Graphs since the program began (simt_graph.cc). */
typedef struct {
    int captured, made, updated, launched;
    int live; /* neither graphs nor their executable forms are to be left */
} simt_graph_counts;
simt_graph_counts simt_graphs(void);
/* Runs run(a copy of args) in the order of the stream: now, or recorded as a launch is. */
int simt_queue(void *stream, int (*run)(void *args), const void *args, size_t bytes);
/* From now on fails: 'b' the begin of a capture, 'e' its end, 'i' instantiation, 'u' updates,
 * 'l' launches; 0 nothing. */
void simt_fail_graphs(char call);

#ifdef __cplusplus
}
#endif

#endif
