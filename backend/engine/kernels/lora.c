// LoRA: y += scaling * (x A^T) B, each token with its own adapter.

#include "common.h"

#define MAX_RANK 64

typedef struct {
    const bf16 *a;          // (parts * rank, ins)
    const bf16 *b;          // (rank, outs): a part's columns belong to that part's rows of A
    long rank;
    float scaling;
} Adapter;

typedef struct {
    long tokens, outs, ins, parts;
    const long *ends;               // where each part's columns end, multiples of 16
    const Adapter *adapters;        // by slot
    const int *slots;               // one a token; below zero is the base model
    const bf16 *x;
    bf16 *y;
} Lora;

static void lora_part(void *argument) {
    const Lora *a = argument;
    Share share = share_of(a->outs / LANES);
    long first = share.begin * LANES, last = share.end * LANES;
    for (long token = 0; token < a->tokens; token++) {
        if (a->slots[token] < 0) continue;
        const Adapter *adapter = a->adapters + a->slots[token];
        if (!adapter->rank) continue;  // it has nothing for this projection
        bf16 *y = a->y + token * a->outs;
        for (long part = 0, begin = 0; part < a->parts; begin = a->ends[part++]) {
            long from = begin > first ? begin : first, to = a->ends[part] < last ? a->ends[part] : last;
            if (from >= to) continue;
            float low[MAX_RANK];
            for (long j = 0; j < adapter->rank; j++)
                low[j] = adapter->scaling *
                         dot(adapter->a + (part * adapter->rank + j) * a->ins, a->x + token * a->ins, a->ins);
            for (long column = from; column < to; column += LANES) {
                __m512 sum = load_bf16(y + column);
                for (long j = 0; j < adapter->rank; j++)
                    sum = _mm512_fmadd_ps(load_bf16(adapter->b + j * a->outs + column), _mm512_set1_ps(low[j]), sum);
                store_bf16(y + column, sum);
            }
        }
    }
}

void moyun_lora(long tokens, long outs, long ins, long parts, const long *ends, const Adapter *adapters, const int *slots,
                const bf16 *x, bf16 *y) {
    Lora work = {tokens, outs, ins, parts, ends, adapters, slots, x, y};
    on_all_threads(lora_part, &work);
}
