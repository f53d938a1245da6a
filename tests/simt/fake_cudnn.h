/* fake_cudnn.h - loads the library of fake_cudnn.c in cuDNN's place: from then on it is what a
 * search for libcudnn.so.9 finds. On a GPU it is NVIDIA's, and nothing is loaded here. */
#ifndef LP_TEST_FAKE_CUDNN_H
#define LP_TEST_FAKE_CUDNN_H

#include <dlfcn.h>

#include "../lp_test.h"
#include "simt_test.h"

static int is_fake, fake_unused[3];
static int *fake_calls = fake_unused, *fake_create = fake_unused + 1,
           *fake_without = fake_unused + 2;

/* A cmocka setup. */
static inline int fake_cudnn_load(void **state)
{
    char path[2048]; /* beside this program */
    ssize_t n = readlink("/proc/self/exe", path, sizeof path - 20);
    int (**queue)(void *, int (*)(void *), const void *, size_t);
    char *slash;
    void *lib;

    (void)state;
#ifdef LP_ON_GPU
    return 0;
#endif
    assert_true(n > 0);
    path[n] = 0;
    slash = strrchr(path, '/');
    assert_non_null(slash);
    strcpy(slash, "/libcudnn.so.9");
    if (!(lib = dlopen(path, RTLD_NOW))) fail_msg("%s", dlerror());
    queue = dlsym(lib, "fake_cudnn_queue");
    fake_calls = dlsym(lib, "fake_cudnn_calls");
    fake_create = dlsym(lib, "fake_cudnn_create");
    fake_without = dlsym(lib, "fake_cudnn_without_algorithm");
    assert_true(queue && fake_calls && fake_create && fake_without);
    *queue = simt_queue;
    is_fake = 1;
    return 0;
}

/* Before what needs cuDNN: on a GPU without NVIDIA's the test is skipped. */
static inline void fake_cudnn_needed(void)
{
    if (is_fake || dlopen("libcudnn.so.9", RTLD_NOW)) return;
    print_message("skip: %s\n", dlerror());
    skip();
}

#endif
