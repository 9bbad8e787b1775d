// SPDX-License-Identifier: BSD-3-Clause
// Sixteen float32 side by side: eight complex numbers (re, im, re, im, ...), that is sixteen detector rows; four and
// two of them where few rows are asked for.
// No function of the standard library is used at this level: an inline one compiled for AVX-512 could be the
// copy the linker keeps for every processor.
#pragma once
#include "kernels.h"
#if defined(__SSE2__)
#include <immintrin.h>
#endif

namespace tomarium::TOMARIUM_LEVEL {

#ifdef TOMARIUM_FEW_ROWS
constexpr int LANES = FEW_LANES;
#endif
typedef float Line __attribute__((vector_size(4 * LANES), aligned(4 * LANES), may_alias));
typedef float LooseLine __attribute__((vector_size(4 * LANES), aligned(4), may_alias));

static inline Line load(const float* p) { return *reinterpret_cast<const LooseLine*>(p); }
static inline void store(float* p, Line a) { *reinterpret_cast<LooseLine*>(p) = a; }
static inline Line spread(float a) { return Line{} + a; }

// What one register holds of a line. Arithmetic is written on parts: a compiler that has to cut a line into
// registers by itself keeps it in memory instead, which made gridding three times slower with AVX2.
#if defined(__AVX512F__) && !defined(TOMARIUM_FEW_ROWS)
#define TOMARIUM_PART 16
#elif defined(__AVX__) && !defined(TOMARIUM_FEW_ROWS)
#define TOMARIUM_PART 8
#else
#define TOMARIUM_PART 4
#endif
constexpr int PART = TOMARIUM_PART;
constexpr int PARTS = LANES / PART;
typedef float Part __attribute__((vector_size(4 * PART), aligned(4 * PART), may_alias));
typedef float LoosePart __attribute__((vector_size(4 * PART), aligned(4), may_alias));
typedef std::int32_t WholePart __attribute__((vector_size(4 * PART), aligned(4 * PART), may_alias));

static inline Part load_part(const void* from) { return *static_cast<const LoosePart*>(from); }
static inline void store_part(void* to, Part value) { *static_cast<LoosePart*>(to) = value; }

// exchange: re <-> im. alternate: (-s, s, -s, s, ...), so that exchange(a) * alternate(s) is i s a.
#if TOMARIUM_PART == 16
static inline Part exchange(Part a) {
    return __builtin_shufflevector(a, a, 1, 0, 3, 2, 5, 4, 7, 6, 9, 8, 11, 10, 13, 12, 15, 14);
}
static inline Part alternate(float s) { return Part{-s, s, -s, s, -s, s, -s, s, -s, s, -s, s, -s, s, -s, s}; }
static inline Part part(float a) { return Part{a, a, a, a, a, a, a, a, a, a, a, a, a, a, a, a}; }
#elif TOMARIUM_PART == 8
static inline Part exchange(Part a) { return __builtin_shufflevector(a, a, 1, 0, 3, 2, 5, 4, 7, 6); }
static inline Part alternate(float s) { return Part{-s, s, -s, s, -s, s, -s, s}; }
static inline Part part(float a) { return Part{a, a, a, a, a, a, a, a}; }
#else
static inline Part exchange(Part a) { return __builtin_shufflevector(a, a, 1, 0, 3, 2); }
static inline Part alternate(float s) { return Part{-s, s, -s, s}; }
static inline Part part(float a) { return Part{a, a, a, a}; }
#endif

// Two numbers again and again.
typedef double Two __attribute__((may_alias));
typedef double Twos __attribute__((vector_size(4 * PART), aligned(4 * PART), may_alias));
static inline Part pairs(const float* two) {
    const double a = *reinterpret_cast<const Two*>(two);
#if TOMARIUM_PART == 16
    const Twos all = {a, a, a, a, a, a, a, a};
#elif TOMARIUM_PART == 8
    const Twos all = {a, a, a, a};
#else
    const Twos all = {a, a};
#endif
    return (Part)all;
}

static inline Part times(Part a, Part re, Part im_alternating) { return a * re + exchange(a) * im_alternating; }

// Stores a line that is not read again soon, to a place of 64-byte alignment; past the caches where it can be.
static inline void store_past(float* to, Line value, bool past) {
#if defined(TOMARIUM_FEW_ROWS)
    (void)past; // a quarter of a cache line
#elif defined(__AVX512F__)
    if (past) return _mm512_stream_ps(to, (__m512)value);
#elif defined(__AVX__)
    if (past) {
        const Part* parts = reinterpret_cast<const Part*>(&value);
        for (int p = 0; p < PARTS; ++p) _mm256_stream_ps(to + p * PART, (__m256)parts[p]);
        return;
    }
#endif
    store(to, value);
}

// The same for a part, to a place of its own alignment.
static inline void store_part_past(float* to, Part value, bool past) {
#if TOMARIUM_PART == 16
    store_past(to, value, past);
#else
#if TOMARIUM_PART == 8
    if (past) return _mm256_stream_ps(to, (__m256)value);
#endif
    (void)past;
    store_part(to, value);
#endif
}

static inline void finish_stores() {
#if defined(__AVX__)
    _mm_sfence();
#endif
}

template <class T> static inline T smaller(T a, T b) { return b < a ? b : a; }
template <class T> static inline T larger(T a, T b) { return a < b ? b : a; }

#if TOMARIUM_PART == 8
// Eight parts of eight, `STEP` apart; a compiler cuts shuffles of whole lines into single numbers.
constexpr int STEP = PARTS;
static inline void transpose_eight(const Part* from, Part* to) {
    __m256 a[8], b[8];
    for (int k = 0; k < 8; ++k) a[k] = (__m256)from[k * STEP];
    for (int k = 0; k < 8; k += 2) {
        b[k] = _mm256_unpacklo_ps(a[k], a[k + 1]);
        b[k + 1] = _mm256_unpackhi_ps(a[k], a[k + 1]);
    }
    for (int k = 0; k < 8; k += 4)
        for (int j = 0; j < 2; ++j) {
            a[k + 2 * j] = _mm256_shuffle_ps(b[k + j], b[k + j + 2], 0x44);
            a[k + 2 * j + 1] = _mm256_shuffle_ps(b[k + j], b[k + j + 2], 0xee);
        }
    for (int k = 0; k < 4; ++k) {
        to[k * STEP] = (Part)_mm256_permute2f128_ps(a[k], a[k + 4], 0x20);
        to[(k + 4) * STEP] = (Part)_mm256_permute2f128_ps(a[k], a[k + 4], 0x31);
    }
}

// Transposes a 16 x 16 block held in 16 lines.
static inline void transpose(Line* lines) {
    Part* a = reinterpret_cast<Part*>(lines);
    Part other[8 * STEP];
    transpose_eight(a, a);
    transpose_eight(a + 8 * STEP + 1, a + 8 * STEP + 1);
    transpose_eight(a + 1, other);
    transpose_eight(a + 8 * STEP, a + 1);
    for (int k = 0; k < 8; ++k) a[(8 + k) * STEP] = other[k * STEP];
}
#else
// Transposes a 16 x 16 block held in 16 lines, in four rounds of interleaving; 4 x 4 in two.
static inline void transpose(Line* a) {
    Line b[LANES];
#ifdef TOMARIUM_FEW_ROWS
#define TOMARIUM_ROUND(from, to)                                                        \
    for (int k = 0; k < 2; ++k) {                                                       \
        to[2 * k] = __builtin_shufflevector(from[k], from[k + 2], 0, 4, 1, 5);          \
        to[2 * k + 1] = __builtin_shufflevector(from[k], from[k + 2], 2, 6, 3, 7);      \
    }
    TOMARIUM_ROUND(a, b)
    TOMARIUM_ROUND(b, a)
#else
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
#endif
#undef TOMARIUM_ROUND
}
#endif

} // namespace tomarium::TOMARIUM_LEVEL
