// The model's arithmetic on a CPU with AVX-512 BF16, compiled by ../native.py at the first start.
//
// bfloat16 in memory, float32 in sums. Every token's result is computed by the same operations in the same order,
// whatever else is in the batch: a text doesn't depend on its neighbours, nor on how its prompt was cut.
// Threads are those of the OpenMP runtime that torch has loaded: a second pool would compete with it for the cores.

#pragma once

#include <immintrin.h>
#include <stdint.h>

#define INLINE static inline __attribute__((always_inline))
#define LANES 16    // floats in a register; output columns in a tile

typedef uint16_t bf16;

// The OpenMP runtime's GOMP_parallel, omp_get_thread_num and omp_get_num_threads.
extern void (*moyun_parallel)(void (*)(void *), void *, unsigned, unsigned);
extern int (*moyun_thread_number)(void);
extern int (*moyun_thread_count)(void);
extern unsigned moyun_threads;

// Runs a piece of work on every thread.
INLINE void on_all_threads(void (*part)(void *), void *work) { moyun_parallel(part, work, moyun_threads, 0); }

typedef struct { long begin, end; } Share;

// This thread's part of so many equal pieces of work.
INLINE Share share_of(long pieces) {
    long me = moyun_thread_number(), all = moyun_thread_count();
    return (Share){pieces * me / all, pieces * (me + 1) / all};
}

INLINE __m512 load_bf16(const bf16 *from) {
    __m512i wide = _mm512_cvtepu16_epi32(_mm256_loadu_si256((const __m256i *)from));
    return _mm512_castsi512_ps(_mm512_slli_epi32(wide, 16));
}

INLINE void store_bf16(bf16 *to, __m512 values) {
    _mm256_storeu_si256((__m256i *)to, (__m256i)_mm512_cvtneps_pbh(values));
}

// The sum of products of two rows of bfloat16; n is a multiple of 32.
INLINE float dot(const bf16 *left, const bf16 *right, long n) {
    __m512 even = _mm512_setzero_ps(), odd = _mm512_setzero_ps();
    long i = 0;
    for (; i + 64 <= n; i += 64) {
        even = _mm512_dpbf16_ps(even, (__m512bh)_mm512_loadu_si512(left + i), (__m512bh)_mm512_loadu_si512(right + i));
        odd = _mm512_dpbf16_ps(odd, (__m512bh)_mm512_loadu_si512(left + i + 32),
                               (__m512bh)_mm512_loadu_si512(right + i + 32));
    }
    if (i < n)
        even = _mm512_dpbf16_ps(even, (__m512bh)_mm512_loadu_si512(left + i), (__m512bh)_mm512_loadu_si512(right + i));
    return _mm512_reduce_add_ps(_mm512_add_ps(even, odd));
}

// e to the x: 2^n times a polynomial of the rest (Cephes' expf coefficients).
INLINE __m512 exponential(__m512 x) {
    x = _mm512_max_ps(x, _mm512_set1_ps(-87.0f));
    __m512 n = _mm512_roundscale_ps(_mm512_mul_ps(x, _mm512_set1_ps(1.44269504f)), 0);
    __m512 f = _mm512_fnmadd_ps(n, _mm512_set1_ps(0.693359375f), x);
    f = _mm512_fnmadd_ps(n, _mm512_set1_ps(-2.12194440e-4f), f);
    __m512 p = _mm512_set1_ps(1.9875691500e-4f);
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.3981999507e-3f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(8.3334519073e-3f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(4.1665795894e-2f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(1.6666665459e-1f));
    p = _mm512_fmadd_ps(p, f, _mm512_set1_ps(5.0000001201e-1f));
    p = _mm512_fmadd_ps(_mm512_mul_ps(p, f), f, _mm512_add_ps(f, _mm512_set1_ps(1.0f)));
    return _mm512_scalef_ps(p, n);
}
