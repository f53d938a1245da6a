/* simd - function multiversioning for tuned CPU code.
 *
 * LP_SIMD in front of a function builds it for plain x86-64, AVX2 and AVX-512 and
 * picks one at load time. Files are built with -std=c11, so no multiply-add is
 * fused and every version gives the same bits. */
#ifndef LP_SIMD_H
#define LP_SIMD_H

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(LP_SANITIZE)
#define LP_SIMD __attribute__((target_clones("default", "avx2", "arch=x86-64-v4")))
#else
#define LP_SIMD
#endif

#endif
