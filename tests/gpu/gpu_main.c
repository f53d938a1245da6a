/* gpu_main - before the tests of a program that runs kernels on a GPU: is there one, and can it
 * reach their memory. Where not, one skip; with REQUIRE_CUDA=1 in the environment a failure. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cuda_runtime_api.h>

#include "gpu_memory.h"

int __real_main(int argc, char **argv);
int __wrap_main(int argc, char **argv);

/* Why no test can run, or NULL. */
static const char *missing(void **stack)
{
    int devices = 0, managed = 0, same = 0, e = cudaGetDeviceCount(&devices);

    if (e || !devices) return "no CUDA device";
    if ((e = cudaDeviceGetAttribute(&managed, cudaDevAttrConcurrentManagedAccess, 0)) ||
        (e = cudaDeviceGetAttribute(&same, cudaDevAttrCanUseHostPointerForRegisteredMem, 0)))
        return cudaGetErrorString((cudaError_t)e);
    if (!managed || !same) return "the device cannot reach the tests' memory";
    return (e = gpu_memory_open(stack)) ? cudaGetErrorString((cudaError_t)e) : NULL;
}

/* In the words of cmocka, for tests/run.sh. */
static int nothing_run(const char *program, const char *why)
{
    const char *slash = strrchr(program, '/'), *must = getenv("REQUIRE_CUDA");
    const char *name = slash ? slash + 1 : program;

    printf("skip: %s: %s\n", name, why);
    if (must && !strcmp(must, "1")) {
        printf("[  FAILED  ] 1 test(s), listed below:\n[  FAILED  ] %s\n", name);
        return 1;
    }
    printf("[  SKIPPED ] %s\n", name);
    return 0;
}

typedef struct {
    int argc;
    char **argv;
    int rc;
} call;

static void *run(void *arg)
{
    call *c = arg;

    c->rc = __real_main(c->argc, c->argv);
    return NULL;
}

int __wrap_main(int argc, char **argv)
{
    call c = {argc, argv, 1};
    void *stack = NULL;
    const char *why = missing(&stack);
    pthread_attr_t a;
    pthread_t t;

    if (why) return nothing_run(argv[0], why);
    if (pthread_attr_init(&a) || pthread_attr_setstack(&a, stack, GPU_STACK) ||
        pthread_create(&t, &a, run, &c) || pthread_join(t, NULL)) {
        fprintf(stderr, "%s: no thread for the tests\n", argv[0]);
        return 1;
    }
    return c.rc;
}
