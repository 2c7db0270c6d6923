// Linear: y = x W^T + bias, W in 4 bits.
//
// Layout: 32 output columns are a tile, of two halves. Of half a tile, 8 inputs are one register of 32 x 16 bits:
// unit 2c + p holds the codes of column c for the inputs p, p + 2, p + 4 and p + 6, four bits each, so that a shift and
// a look-up make pairs of bfloat16 as the dot-product instruction wants them. A thread reads its tiles as one stream.

#include "common.h"

#define BLOCK 64    // weights that share one scale in NF4
#define TILE 32     // output columns
#define AHEAD 4096  // bytes between what is computed and what is fetched from memory

typedef struct {
    long outs, ins;
    const uint8_t *codes;   // plain: (outs, ins / 2), the first of two inputs in the high half
    const float *scales;    // plain: (outs, ins / 64)
    uint8_t *tiled_codes;   // (outs / 32, ins / 8, 2, 64)
    bf16 *tiled_scales;     // (outs / 32, ins / 64, 32)
} Tiling;

static void tile_part(void *argument) {
    const Tiling *a = argument;
    long blocks = a->ins / BLOCK;
    Share share = share_of(a->outs / TILE);
    for (long tile = share.begin; tile < share.end; tile++)
        for (long column = 0; column < TILE; column++) {
            const uint8_t *codes = a->codes + (tile * TILE + column) * a->ins / 2;
            const float *scales = a->scales + (tile * TILE + column) * blocks;
            uint8_t *units = a->tiled_codes + tile * a->ins * 16 + column * 4;
            for (long group = 0; group < a->ins / 8; group++) {
                const uint8_t *c = codes + group * 4;
                uint8_t *unit = units + group * 128;
                unit[0] = (uint8_t)((c[0] >> 4) | (c[1] & 0xF0));
                unit[1] = (uint8_t)((c[2] >> 4) | (c[3] & 0xF0));
                unit[2] = (uint8_t)((c[0] & 0x0F) | (c[1] << 4));
                unit[3] = (uint8_t)((c[2] & 0x0F) | (c[3] << 4));
            }
            for (long block = 0; block < blocks; block++) {
                union { float number; uint32_t bits; } scale = {scales[block]};
                uint32_t rounded = scale.bits + 0x7FFF + ((scale.bits >> 16) & 1);  // to nearest, ties to even
                a->tiled_scales[(tile * blocks + block) * TILE + column] = (bf16)(rounded >> 16);
            }
        }
}

void moyun_tile(long outs, long ins, const uint8_t *codes, const float *scales, uint8_t *tiled_codes,
                bf16 *tiled_scales) {
    Tiling work = {outs, ins, codes, scales, tiled_codes, tiled_scales};
    on_all_threads(tile_part, &work);
}

typedef struct {
    long tokens, outs, ins;
    const bf16 *x;          // (tokens, ins)
    const uint8_t *codes;
    const bf16 *scales;
    const bf16 *bias;       // (outs,) or null
    bf16 *y;                // (tokens, outs)
    __m512i table;          // the 16 values of NF4, twice
} Linear;

// Some tokens times a tile, its halves one after the other or (of few tokens, to keep the arithmetic busy) together; both
// numbers are constants where this is called, so that the parts of a block stay in registers. The order of additions
// is the same for every number of tokens.
INLINE void multiply(const int tokens, const int together, const Linear *a, long token, long tile) {
    const long ins = a->ins, blocks = ins / BLOCK;
    const uint8_t *codes = a->codes + tile * ins * 16;
    const bf16 *scales = a->scales + tile * blocks * TILE, *x = a->x + token * ins;
    __m512 sum[2][tokens];
    for (int h = 0; h < 2; h++)
        for (int t = 0; t < tokens; t++) sum[h][t] = _mm512_setzero_ps();
    for (long block = 0; block < blocks; block++, codes += 1024, scales += TILE, x += BLOCK) {
        _mm_prefetch((const char *)scales + AHEAD / 16, _MM_HINT_T0);
#pragma clang loop unroll(full)
        for (int first = 0; first < 2; first += together) {
            __m512 part[together][tokens][2];  // two sums: one alone would wait for itself
            for (int h = 0; h < together; h++)
                for (int t = 0; t < tokens; t++) part[h][t][0] = part[h][t][1] = _mm512_setzero_ps();
            for (int group = 0; group < 8; group++)
                for (int h = 0; h < together; h++) {
                    const uint8_t *from = codes + group * 128 + (first + h) * 64;
                    _mm_prefetch((const char *)from + AHEAD, _MM_HINT_T0);
                    __m512i units = _mm512_loadu_si512(from);
#pragma clang loop unroll(full)
                    for (int q = 0; q < 4; q++) {
                        __m512bh weights = (__m512bh)_mm512_permutexvar_epi16(units, a->table);
                        units = _mm512_srli_epi16(units, 4);
                        for (int t = 0; t < tokens; t++) {
                            int pair = *(const int *)(x + t * ins + group * 8 + q * 2);
                            part[h][t][q & 1] =
                                _mm512_dpbf16_ps(part[h][t][q & 1], weights, (__m512bh)_mm512_set1_epi32(pair));
                        }
                    }
                }
            for (int h = 0; h < together; h++) {
                __m512 scale = load_bf16(scales + (first + h) * LANES);
                for (int t = 0; t < tokens; t++)
                    sum[first + h][t] =
                        _mm512_fmadd_ps(_mm512_add_ps(part[h][t][0], part[h][t][1]), scale, sum[first + h][t]);
            }
        }
    }
    for (int h = 0; h < 2; h++) {
        long column = tile * TILE + h * LANES;
        __m512 bias = a->bias ? load_bf16(a->bias + column) : _mm512_setzero_ps();
        for (int t = 0; t < tokens; t++)
            store_bf16(a->y + (token + t) * a->outs + column, _mm512_add_ps(sum[h][t], bias));
    }
}

static void linear_part(void *argument) {
    const Linear *a = argument;
    Share share = share_of(a->outs / TILE);
    for (long tile = share.begin; tile < share.end; tile++) {
        long token = 0;
        for (; token + 8 <= a->tokens; token += 8) multiply(8, 1, a, token, tile);
        switch (a->tokens - token) {
            case 1: multiply(1, 2, a, token, tile); break;
            case 2: multiply(2, 2, a, token, tile); break;
            case 3: multiply(3, 2, a, token, tile); break;
            case 4: multiply(4, 1, a, token, tile); break;
            case 5: multiply(5, 1, a, token, tile); break;
            case 6: multiply(6, 1, a, token, tile); break;
            case 7: multiply(7, 1, a, token, tile); break;
        }
    }
}

void moyun_linear(long tokens, long outs, long ins, const bf16 *x, const uint8_t *codes, const bf16 *scales,
                  const bf16 *bias, const bf16 *table, bf16 *y) {
    Linear work = {tokens, outs, ins, x, codes, scales, bias, y, _mm512_loadu_si512(table)};
    on_all_threads(linear_part, &work);
}
