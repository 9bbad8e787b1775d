// SPDX-License-Identifier: BSD-3-Clause
// Many columns sorted side by side, one in each lane, by merging: which numbers are compared does not depend on them.
// K. E. Batcher, AFIPS Conference 32, 307 (1968), odd-even merging; runs of sixteen by the network of 60 comparisons
// of M. W. Green (Knuth, The Art of Computer Programming 3, section 5.3.4).
#pragma once
#include "lanes.h"

namespace tomarium::TOMARIUM_LEVEL {

static inline void in_order(Part& a, Part& b) {
    const Part low = smaller(a, b);
    b = larger(a, b);
    a = low;
}

// The same of floats without a sign, whose bits order as they do: a processor may have other units for whole numbers,
// which work beside those for floats.
static inline void in_order_unsigned(Part& a, Part& b) {
#if TOMARIUM_PART == 8
    const Part low = smaller(a, b);
    b = (Part)_mm256_max_epi32((__m256i)a, (__m256i)b);
    a = low;
#else
    in_order(a, b);
#endif
}

// Pairs of places of 16 that are put in order, one after the other.
#define TOMARIUM_SORT_16(O) \
    O(0, 13) O(1, 12) O(2, 15) O(3, 14) O(4, 8) O(5, 6) O(7, 11) O(9, 10) O(0, 5) O(1, 7) O(2, 9) O(3, 4) O(6, 13) \
    O(8, 14) O(10, 15) O(11, 12) O(0, 1) O(2, 3) O(4, 5) O(6, 8) O(7, 9) O(10, 11) O(12, 13) O(14, 15) O(0, 2) \
    O(1, 3) O(4, 10) O(5, 11) O(6, 7) O(8, 9) O(12, 14) O(13, 15) O(1, 2) O(3, 12) O(4, 6) O(5, 7) O(8, 10) O(9, 11) \
    O(13, 14) O(1, 4) O(2, 6) O(5, 8) O(7, 10) O(9, 13) O(11, 14) O(2, 4) O(3, 6) O(9, 12) O(11, 13) O(3, 5) O(6, 8) \
    O(7, 9) O(10, 12) O(3, 4) O(5, 6) O(7, 8) O(9, 10) O(11, 12) O(6, 7) O(8, 9)

static inline void sort_sixteen(Part* at) {
    Part a[16];
    for (int k = 0; k < 16; ++k) a[k] = at[k];
#define TOMARIUM_ORDER(i, j) in_order_unsigned(a[i], a[j]);
    TOMARIUM_SORT_16(TOMARIUM_ORDER)
#undef TOMARIUM_ORDER
    for (int k = 0; k < 16; ++k) at[k] = a[k];
}
#undef TOMARIUM_SORT_16

// The first three rounds of a merge: numbers 0, h, 2h ... of eight, of which `COUNT` are there.
template <int COUNT> static inline void merge_eights(Part* at, std::ptrdiff_t h, int first, int last) {
    for (int t = first; t < last; ++t) {
        Part a[8];
        for (int j = 0; j < COUNT; ++j) a[j] = at[t + j * h];
        for (int j = 0; j + 4 < COUNT; ++j) in_order(a[j], a[j + 4]);
        for (int j = 2; j + 2 < COUNT && j < 4; ++j) in_order(a[j], a[j + 2]);
        for (int j = 1; j + 1 < COUNT; j += 2) in_order(a[j], a[j + 1]);
        for (int j = 0; j < COUNT; ++j) at[t + j * h] = a[j];
    }
}

static void first_rounds(Part* at, int run, int count) {
    const int h = run / 4, whole = count / h, rest = count % h; // `rest` series have a number more
    for (int part = 0; part < 2; ++part) {
        const int first = part ? rest : 0, last = part ? h : rest;
        switch (part ? whole : whole + 1) {
        case 5: merge_eights<5>(at, h, first, last); break;
        case 6: merge_eights<6>(at, h, first, last); break;
        case 7: merge_eights<7>(at, h, first, last); break;
        case 8: merge_eights<8>(at, h, first, last); break;
        default: break; // the second run has none of them
        }
    }
}

template <int LEFT> static inline void end_three_rounds(const Part* carried, Part* to, std::ptrdiff_t h) {
    Part a[LEFT] = {carried[0], carried[1], carried[2]};
    for (int k = 3; k < LEFT; ++k) a[k] = to[k * h];
    for (int k = 3; k < 7 && k + 4 < LEFT; ++k) in_order(a[k], a[k + 4]);
    for (int k = 1; k < 3 && k + 2 < LEFT; ++k) in_order(a[k], a[k + 2]);
    for (int k = 5; k < 7 && k + 2 < LEFT; ++k) in_order(a[k], a[k + 2]);
    for (int k = 0; k + 1 < LEFT; k += 2) in_order(a[k], a[k + 1]);
    for (int k = 0; k < LEFT; ++k) to[k * h] = a[k];
}

// Rounds 4h, 2h and h of a merge along one series of numbers h apart. Three numbers are carried on from eight to eight.
static inline void three_rounds(Part* at, std::ptrdiff_t h, int count) {
    Part carried[3] = {at[h], at[2 * h], at[3 * h]};
    Part* to = at + h;
    int j = 4;
    for (; j + 8 <= count; j += 8, to += 8 * h) {
        Part a[11] = {carried[0], carried[1], carried[2]};
        for (int k = 3; k < 11; ++k) a[k] = to[k * h];
        for (int k = 3; k < 7; ++k) in_order(a[k], a[k + 4]);
        in_order(a[1], a[3]);
        in_order(a[2], a[4]);
        in_order(a[5], a[7]);
        in_order(a[6], a[8]);
        for (int k = 0; k < 8; k += 2) in_order(a[k], a[k + 1]);
        for (int k = 0; k < 8; ++k) to[k * h] = a[k];
        for (int k = 0; k < 3; ++k) carried[k] = a[8 + k];
    }
    switch (count - j) {
    case 0: return end_three_rounds<3>(carried, to, h);
    case 1: return end_three_rounds<4>(carried, to, h);
    case 2: return end_three_rounds<5>(carried, to, h);
    case 3: return end_three_rounds<6>(carried, to, h);
    case 4: return end_three_rounds<7>(carried, to, h);
    case 5: return end_three_rounds<8>(carried, to, h);
    case 6: return end_three_rounds<9>(carried, to, h);
    default: return end_three_rounds<10>(carried, to, h);
    }
}

// Rounds 2h and h.
static inline void two_rounds(Part* at, std::ptrdiff_t h, int count) {
    Part carried = at[h];
    Part* to = at + h;
    int j = 2;
    for (; j + 4 <= count; j += 4, to += 4 * h) {
        Part a[5] = {carried, to[h], to[2 * h], to[3 * h], to[4 * h]};
        in_order(a[1], a[3]);
        in_order(a[2], a[4]);
        in_order(a[0], a[1]);
        in_order(a[2], a[3]);
        for (int k = 0; k < 4; ++k) to[k * h] = a[k];
        carried = a[4];
    }
    const int left = 1 + count - j; // 1 to 4
    Part a[4] = {carried};
    for (int k = 1; k < left; ++k) a[k] = to[k * h];
    if (left == 4) in_order(a[1], a[3]);
    for (int k = 0; k + 1 < left; k += 2) in_order(a[k], a[k + 1]);
    for (int k = 0; k < left; ++k) to[k * h] = a[k];
}

// Merges a sorted run, a power of two long and at least 16, with what follows it, which is sorted and no longer.
static void merge_runs(Part* at, int run, int count) {
    first_rounds(at, run, count);
    for (int d = run / 8; d > 0;) {
        const bool three = d >= 4 && d != 8; // of 16 = 2^4 two rounds and two, so that none is left alone
        const int h = three ? d / 4 : d / 2, whole = count / h, rest = count % h;
        for (int t = 0; t < h; ++t)
            three ? three_rounds(at + t, h, whole + (t < rest)) : two_rounds(at + t, h, whole + (t < rest));
        d = h / 2;
    }
}

// Sorts the numbers of each lane, ascending; `count` is a multiple of 16, and no number is negative or a NaN.
static void sort_lanes(Part* at, int count) {
    if (count <= 16) {
        sort_sixteen(at);
        return;
    }
    int run = 16;
    while (2 * run < count) run *= 2;
    sort_lanes(at, run);
    sort_lanes(at + run, count - run);
    merge_runs(at, run, count);
}

} // namespace tomarium::TOMARIUM_LEVEL
