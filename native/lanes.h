// SPDX-License-Identifier: BSD-3-Clause
// Sixteen float32 side by side: eight complex numbers (re, im, re, im, ...), that is sixteen detector rows.
// No function of the standard library is used at this level: an inline one compiled for AVX-512 could be the
// copy the linker keeps for every processor.
#pragma once
#include "kernels.h"

namespace tomarium::TOMARIUM_LEVEL {

typedef float Line __attribute__((vector_size(64), aligned(64), may_alias));
typedef float LooseLine __attribute__((vector_size(64), aligned(4), may_alias));

static inline Line load(const float* p) { return *reinterpret_cast<const LooseLine*>(p); }
static inline void store(float* p, Line a) { *reinterpret_cast<LooseLine*>(p) = a; }
static inline Line spread(float a) { return Line{} + a; }

static inline Line exchange(Line a) { // re <-> im
    return __builtin_shufflevector(a, a, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
}

// (-s, s, -s, s, ...): exchange(a) * alternate(s) is i s a
static inline Line alternate(float s) { return Line{-s, s, -s, s, -s, s, -s, s, -s, s, -s, s, -s, s, -s, s}; }

static inline Line times(Line a, Line re, Line im_alternating) { return a * re + exchange(a) * im_alternating; }

template <class T> static inline T smaller(T a, T b) { return b < a ? b : a; }
template <class T> static inline T larger(T a, T b) { return a < b ? b : a; }

// Transposes a 16 x 16 block held in 16 lines, in four rounds of interleaving.
static inline void transpose(Line* a) {
    Line b[LANES];
#define TOMARIUM_ROUND(from, to)                                                                                \
    for (int k = 0; k < 8; ++k) {                                                                               \
        to[2 * k] = __builtin_shufflevector(from[k], from[k + 8], 0, 16, 1, 17, 2, 18, 3, 19, 4, 20, 5, 21, 6,  \
                                            22, 7, 23);                                                         \
        to[2 * k + 1] = __builtin_shufflevector(from[k], from[k + 8], 8, 24, 9, 25, 10, 26, 11, 27, 12, 28, 13, \
                                                29, 14, 30, 15, 31);                                            \
    }
    TOMARIUM_ROUND(a, b)
    TOMARIUM_ROUND(b, a)
    TOMARIUM_ROUND(a, b)
    TOMARIUM_ROUND(b, a)
#undef TOMARIUM_ROUND
}

} // namespace tomarium::TOMARIUM_LEVEL
