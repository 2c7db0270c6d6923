// Rotary embedding, the key/value store, and attention.

#include "common.h"

#define SPAN 128    // positions that are looked at together
#define HEADS 8     // query heads of one key head that are computed together
#define MAX_DIM 256

// Where a token's sequence keeps its keys and values: (layers, kv_heads, capacity, dim) each.
typedef struct { bf16 *keys, *values; long capacity, position; } Place;

typedef struct {
    long layer, tokens, heads, kv_heads, dim;
    float scaling;
    const Place *places;    // one a token
    bf16 *qkv;              // (tokens, heads + 2 * kv_heads, dim)
    const bf16 *cos, *sin;  // (tokens, dim)
    bf16 *y;                // (tokens, heads, dim)
} Attention;

INLINE bf16 *slot(bf16 *store, const Attention *a, const Place *place, long kv_head) {
    return store + (a->layer * a->kv_heads + kv_head) * place->capacity * a->dim;
}

// Rotary embedding (Su et al. 2021) of one head, in place.
INLINE void rotate(bf16 *x, const bf16 *cos, const bf16 *sin, long dim) {
    for (long i = 0, half = dim / 2; i < half; i += LANES) {
        __m512 left = load_bf16(x + i), right = load_bf16(x + half + i);
        __m512 turned = _mm512_mul_ps(right, load_bf16(sin + i));
        store_bf16(x + i, _mm512_fmsub_ps(left, load_bf16(cos + i), turned));
        turned = _mm512_mul_ps(left, load_bf16(sin + half + i));
        store_bf16(x + half + i, _mm512_fmadd_ps(right, load_bf16(cos + half + i), turned));
    }
}

// Rotates queries and keys, and stores keys and values at their positions.
static void store_part(void *argument) {
    const Attention *a = argument;
    Share share = share_of(a->tokens);
    for (long token = share.begin; token < share.end; token++) {
        const Place *place = a->places + token;
        bf16 *head = a->qkv + token * (a->heads + 2 * a->kv_heads) * a->dim;
        for (long h = 0; h < a->heads + a->kv_heads; h++)
            rotate(head + h * a->dim, a->cos + token * a->dim, a->sin + token * a->dim, a->dim);
        for (long kv = 0; kv < a->kv_heads; kv++) {
            const bf16 *key = head + (a->heads + kv) * a->dim, *value = key + a->kv_heads * a->dim;
            bf16 *to_key = slot(place->keys, a, place, kv) + place->position * a->dim;
            bf16 *to_value = slot(place->values, a, place, kv) + place->position * a->dim;
            for (long i = 0; i < a->dim; i += 32) {
                _mm512_storeu_si512(to_key + i, _mm512_loadu_si512(key + i));
                _mm512_storeu_si512(to_value + i, _mm512_loadu_si512(value + i));
            }
        }
    }
}

// Up to HEADS query heads of one token over one key head: softmax in one pass (Milakov and Gimelshein 2018).
INLINE void attend(const Attention *a, const Place *place, long kv, const bf16 *queries, int heads, bf16 *y) {
    const bf16 *keys = slot(place->keys, a, place, kv), *values = slot(place->values, a, place, kv);
    float scores[HEADS][SPAN], highest[HEADS], total[HEADS], out[HEADS][MAX_DIM];
    for (int h = 0; h < heads; h++) {
        highest[h] = -1e30f;
        total[h] = 0;
        for (long i = 0; i < a->dim; i += LANES) _mm512_storeu_ps(out[h] + i, _mm512_setzero_ps());
    }
    for (long begin = 0; begin <= place->position; begin += SPAN) {
        long count = place->position + 1 - begin < SPAN ? place->position + 1 - begin : SPAN;
        for (long p = 0; p < count; p++)
            for (int h = 0; h < heads; h++)
                scores[h][p] = a->scaling * dot(queries + h * a->dim, keys + (begin + p) * a->dim, a->dim);
        for (int h = 0; h < heads; h++) {
            for (long p = count; p < SPAN; p++) scores[h][p] = -1e30f;
            __m512 most = _mm512_set1_ps(highest[h]), sum = _mm512_setzero_ps();
            for (long p = 0; p < SPAN; p += LANES) most = _mm512_max_ps(most, _mm512_loadu_ps(scores[h] + p));
            float peak = _mm512_reduce_max_ps(most);
            float fade = _mm512_cvtss_f32(exponential(_mm512_set1_ps(highest[h] - peak)));
            for (long p = 0; p < SPAN; p += LANES) {
                __mmask16 real = count >= p + LANES ? 0xFFFF : count > p ? (__mmask16)((1u << (count - p)) - 1) : 0;
                __m512 shifted = _mm512_sub_ps(_mm512_loadu_ps(scores[h] + p), _mm512_set1_ps(peak));
                __m512 weight = _mm512_maskz_mov_ps(real, exponential(shifted));
                sum = _mm512_add_ps(sum, weight);
                _mm512_storeu_ps(scores[h] + p, weight);
            }
            total[h] = total[h] * fade + _mm512_reduce_add_ps(sum);
            highest[h] = peak;
            for (long i = 0; i < a->dim; i += LANES)
                _mm512_storeu_ps(out[h] + i, _mm512_mul_ps(_mm512_loadu_ps(out[h] + i), _mm512_set1_ps(fade)));
        }
        for (long i = 0; i < a->dim; i += 2 * LANES) {
            __m512 sums[HEADS][2];
            for (int h = 0; h < HEADS; h++) {
                sums[h][0] = h < heads ? _mm512_loadu_ps(out[h] + i) : _mm512_setzero_ps();
                sums[h][1] = h < heads ? _mm512_loadu_ps(out[h] + i + LANES) : _mm512_setzero_ps();
            }
            for (long p = 0; p < count; p++) {
                __m512 left = load_bf16(values + (begin + p) * a->dim + i);
                __m512 right = load_bf16(values + (begin + p) * a->dim + i + LANES);
                for (int h = 0; h < HEADS; h++) {
                    __m512 weight = _mm512_set1_ps(scores[h < heads ? h : 0][p]);
                    sums[h][0] = _mm512_fmadd_ps(weight, left, sums[h][0]);
                    sums[h][1] = _mm512_fmadd_ps(weight, right, sums[h][1]);
                }
            }
            for (int h = 0; h < heads; h++) {
                _mm512_storeu_ps(out[h] + i, sums[h][0]);
                _mm512_storeu_ps(out[h] + i + LANES, sums[h][1]);
            }
        }
    }
    for (int h = 0; h < heads; h++)
        for (long i = 0; i < a->dim; i += LANES)
            store_bf16(y + h * a->dim + i, _mm512_div_ps(_mm512_loadu_ps(out[h] + i), _mm512_set1_ps(total[h])));
}

static void attention_part(void *argument) {
    const Attention *a = argument;
    long group = a->heads / a->kv_heads, me = moyun_thread_number(), all = moyun_thread_count();
    for (long task = me; task < a->tokens * a->kv_heads; task += all) {
        long token = task / a->kv_heads, kv = task % a->kv_heads;
        const bf16 *queries = a->qkv + (token * (a->heads + 2 * a->kv_heads) + kv * group) * a->dim;
        bf16 *y = a->y + (token * a->heads + kv * group) * a->dim;
        for (long h = 0; h < group; h += HEADS)
            attend(a, a->places + token, kv, queries + h * a->dim, (int)(group - h < HEADS ? group - h : HEADS),
                   y + h * a->dim);
    }
}

// Self-attention: each token looks at its own sequence up to itself.
void moyun_attention(long layer, long tokens, long heads, long kv_heads, long dim, float scaling, const Place *places,
                     bf16 *qkv, const bf16 *cos, const bf16 *sin, bf16 *y) {
    Attention work = {layer, tokens, heads, kv_heads, dim, scaling, places, qkv, cos, sin, y};
    on_all_threads(store_part, &work);
    on_all_threads(attention_part, &work);
}
