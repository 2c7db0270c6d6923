// RMSNorm, and the gated activation.

#include "common.h"

// RMSNorm of rows of n values (a multiple of 32): y = x / sqrt(mean(x^2) + eps) * weight.
void moyun_norm(long rows, long n, const bf16 *x, const bf16 *weight, float eps, bf16 *y) {
    for (long row = 0; row < rows; row++, x += n, y += n) {
        float mean = dot(x, x, n) / (float)n;
        __m512 factor = _mm512_set1_ps(1.0f / __builtin_sqrtf(mean + eps));
        for (long i = 0; i < n; i += LANES)
            store_bf16(y + i, _mm512_mul_ps(_mm512_mul_ps(load_bf16(x + i), factor), load_bf16(weight + i)));
    }
}

typedef struct { long tokens, width; const bf16 *gate_up; bf16 *y; } Gating;

static void gate_part(void *argument) {
    const Gating *a = argument;
    Share share = share_of(a->width / LANES);
    for (long token = 0; token < a->tokens; token++) {
        const bf16 *gate = a->gate_up + token * 2 * a->width, *up = gate + a->width;
        bf16 *y = a->y + token * a->width;
        for (long i = share.begin * LANES; i < share.end * LANES; i += LANES) {
            __m512 g = load_bf16(gate + i), one = _mm512_set1_ps(1.0f);
            __m512 below = _mm512_add_ps(one, exponential(_mm512_sub_ps(_mm512_setzero_ps(), g)));
            store_bf16(y + i, _mm512_mul_ps(_mm512_div_ps(g, below), load_bf16(up + i)));
        }
    }
}

// SwiGLU: silu(gate) * up; gate_up (tokens, 2 * width), y (tokens, width).
void moyun_gate(long tokens, long width, const bf16 *gate_up, bf16 *y) {
    Gating work = {tokens, width, gate_up, y};
    on_all_threads(gate_part, &work);
}
