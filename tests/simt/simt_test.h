/* simt_test - what tests set of the executor.
 *
 * Every launch draws from a seed the order in which blocks, warps and lanes run. A test of a
 * kernel runs it under each seed of SIMT_SEEDS and wants the same bits:
 *
 *     SIMT_SEEDS(s) { ...launch, compare... }
 *
 * LP_SIMT_SEED=N in the environment makes it the one seed N; a test program that fails prints
 * the seed of its last launch. */
#ifndef SIMT_TEST_H
#define SIMT_TEST_H

#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

/* Whether this build looks for races (simt_race.cc) instead of running under sanitizers. */
#ifdef LP_SIMT_RACE
#define SIMT_RACE 1
#else
#define SIMT_RACE 0
#endif

#define SIMT_N_SEEDS 3
#define SIMT_SEEDS(s) for (int s = 0; simt_next_seed(s); s++)

/* Sets seed s of the list; 0 where there are no more. */
int simt_next_seed(int s);
void simt_set_seed(uint64_t seed);

#ifdef __cplusplus
}
#endif

#endif
