// SPDX-License-Identifier: BSD-3-Clause
// Medians over neighbouring columns at many ranks side by side.
//
// Of 21 columns, eight windows at a time, which share 14 columns: those are sorted, and of them and of what halves of
// the windows share beside only the places are kept where the median can be. A. Adams, ACM Transactions on Graphics 40,
// 70 (2021), doi 10.1145/3450626.3459773. It takes 28 minima and maxima each where keeping a window in order takes 80.
#pragma once
#include "lane_sort.h"

namespace tomarium::TOMARIUM_LEVEL {

constexpr int USUAL_SIZE = 21, WINDOWS = 8; // columns of the median, windows side by side
constexpr int SEEN = USUAL_SIZE + WINDOWS - 1;  // columns that they see

// Pairs of places of 14 that are put in order, one after the other: the network of 16 without a least and a largest.
#define TOMARIUM_SORT_14(O) \
    O(1, 12) O(2, 13) O(3, 7) O(4, 5) O(6, 10) O(8, 9) O(0, 6) O(1, 8) O(2, 3) O(5, 11) O(7, 13) O(9, 12) O(1, 2) \
    O(3, 4) O(5, 7) O(6, 8) O(9, 10) O(13, 12) O(0, 2) O(3, 9) O(4, 10) O(5, 6) O(7, 8) O(11, 13) O(0, 1) O(2, 11) \
    O(3, 5) O(4, 6) O(7, 9) O(8, 10) O(12, 13) O(0, 3) O(1, 5) O(4, 7) O(6, 9) O(8, 12) O(10, 13) O(1, 3) O(2, 5) \
    O(8, 11) O(10, 12) O(2, 4) O(5, 7) O(6, 8) O(9, 11) O(2, 3) O(4, 5) O(6, 7) O(8, 9) O(10, 11) O(5, 6) O(7, 8)

static inline void sort_four(Part* a) { // its halves are in order
    in_order(a[0], a[2]);
    in_order(a[1], a[3]);
    in_order(a[1], a[2]);
}

// Places 4 to 7 of eight and four numbers in order.
static inline void middle_four(const Part* eight, const Part* four, Part* to) {
    Part a[4];
    for (int k = 0; k < 4; ++k) a[k] = larger(eight[k], four[3 - k]); // the four least of all are left out
    in_order(a[0], a[2]);
    in_order(a[1], a[3]);
    in_order(a[0], a[1]);
    in_order(a[2], a[3]);
    for (int k = 0; k < 4; ++k) to[k] = smaller(a[k], eight[7 - k]); // and the four largest
    in_order(to[0], to[2]);
    in_order(to[1], to[3]);
    in_order(to[0], to[1]);
    in_order(to[2], to[3]);
}

// The medians of what four and two numbers in order leave open, with either of two others.
static inline void last_two(const Part* four, const Part* two, Part one, Part other, Part& median, Part& next) {
    Part low = larger(four[0], two[1]), high = larger(four[1], two[0]);
    in_order(low, high);
    Part a = smaller(low, four[3]), b = smaller(high, four[2]);
    in_order(a, b);
    median = larger(a, smaller(b, one));
    next = larger(a, smaller(b, other));
}

// Medians over columns k to k + 20, for k = 0 to 7; or by how much the columns in the middle are more.
template <bool MORE> static inline void medians_of_21(const float* const* columns, std::ptrdiff_t place, float* const* out) {
    const auto at = [&](int k) { return *reinterpret_cast<const Part*>(columns[k] + place); };
    Part a[14];
    for (int k = 0; k < 14; ++k) a[k] = at(WINDOWS - 1 + k);
#define TOMARIUM_ORDER(i, j) in_order(a[i], a[j]);
    TOMARIUM_SORT_14(TOMARIUM_ORDER)
#undef TOMARIUM_ORDER
    for (int half = 0; half < 2; ++half) { // windows 0 to 3 share columns 3 to 6 besides, windows 4 to 7 21 to 24
        const int shared = half ? 21 : 3, left = half ? 5 : 1, right = half ? 25 : 21;
        Part four[4], kept[4], two[2], medians[4];
        for (int k = 0; k < 4; ++k) four[k] = at(shared + k);
        in_order(four[0], four[1]);
        in_order(four[2], four[3]);
        sort_four(four);
        middle_four(a + 3, four, kept);
        two[0] = at(left), two[1] = at(left + 1);
        in_order(two[0], two[1]);
        last_two(kept, two, at(left - 1), at(right), medians[0], medians[1]);
        two[0] = at(right), two[1] = at(right + 1);
        in_order(two[0], two[1]);
        last_two(kept, two, at(left + 1), at(right + 2), medians[2], medians[3]);
        for (int k = 0; k < 4; ++k) {
            if (MORE) medians[k] = at(USUAL_SIZE / 2 + 4 * half + k) - medians[k];
            *reinterpret_cast<Part*>(out[4 * half + k] + place) = medians[k];
        }
    }
}
#undef TOMARIUM_SORT_14

// `old` leaves the ordered lines of a window and `fresh` enters.
static inline void replace_in_order(Line* window, int size, const Line* old, const Line* fresh) {
    for (int p = 0; p < PARTS; ++p) {
        Part* at = reinterpret_cast<Part*>(window) + p;
        const Part leaving = reinterpret_cast<const Part*>(old)[p];
        Part entering = reinterpret_cast<const Part*>(fresh)[p], next = at[0];
        for (int i = 0; i + 1 < size; ++i, at += PARTS) {
            const Part here = next;
            next = at[PARTS];
            const Part kept = here < leaving ? here : next; // from the leaving one on, all move up by a place
            *at = smaller(kept, entering);
            entering = larger(kept, entering);
        }
        *at = entering;
    }
}

} // namespace tomarium::TOMARIUM_LEVEL
