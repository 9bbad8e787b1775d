// SPDX-License-Identifier: BSD-3-Clause
// Stripes of sinograms by sorting: sort each column over the angles, take the median over neighbouring columns at
// each rank, put the values back where they came from. N. T. Vo et al., Optics Express 26, 28396 (2018), algorithm 3.
//
// Columns go through one after the other. For sixteen ranks side by side the values of the last `size` columns are
// kept in order: the oldest leaves, the newest enters, and the median is the middle one. What is needed of one
// sinogram at a time stays in the second-level cache.
#pragma once
#include "gridding.h"

namespace tomarium::TOMARIUM_LEVEL {

constexpr int DIGITS = 256;

// Bits of a float in an order of whole numbers that is that of the floats; -0 counts as 0.
static inline std::uint32_t rank_bits(float value) {
    value += 0.0f;
    std::uint32_t bits;
    __builtin_memcpy(&bits, &value, 4);
    return bits ^ (bits & 0x80000000u ? 0xffffffffu : 0x80000000u);
}
static inline float float_of(std::uint32_t bits) {
    bits ^= bits & 0x80000000u ? 0x80000000u : 0xffffffffu;
    float value;
    __builtin_memcpy(&value, &bits, 4);
    return value;
}

// Sorts by the upper half of the keys, byte by byte from the lowest on, keeping the order of equal ones; a byte that
// all share is passed over. Returns whichever of the two arrays holds the result.
static std::uint64_t* sort_ranks(std::uint64_t* keys, std::uint64_t* other, int count) {
    std::uint32_t begin[4][DIGITS] = {};
    for (int k = 0; k < count; ++k)
        for (int pass = 0; pass < 4; ++pass) ++begin[pass][keys[k] >> (32 + 8 * pass) & (DIGITS - 1)];
    for (int pass = 0; pass < 4; ++pass) {
        const int shift = 32 + 8 * pass;
        std::uint32_t* at = begin[pass];
        if (count == 0 || at[keys[0] >> shift & (DIGITS - 1)] == std::uint32_t(count)) continue;
        std::uint32_t total = 0;
        for (int digit = 0; digit < DIGITS; ++digit) {
            const std::uint32_t held = at[digit];
            at[digit] = total;
            total += held;
        }
        for (int k = 0; k < count; ++k) other[at[keys[k] >> shift & (DIGITS - 1)]++] = keys[k];
        std::uint64_t* swap = keys;
        keys = other;
        other = swap;
    }
    return keys;
}

static inline int mirrored(int column, int columns) { // d c b a | a b c d | d c b a
    const int period = 2 * columns;
    column %= period;
    if (column < 0) column += period;
    return column < columns ? column : period - 1 - column;
}

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

static inline int sorting_depth(const Sorting& s) { return (s.angles + LANES - 1) / LANES * LANES; }

static std::ptrdiff_t sorting_scratch_lines(const Sorting& s) {
    const std::ptrdiff_t blocks = sorting_depth(s) / LANES;
    return blocks * (2 * s.size + 1 + (s.size / 2 + 1) + 2 * LANES + 4) + 1; // as they are cut up below
}

// Sixteen columns from `first` on, each with its angles side by side; returns whether all values are finite.
static bool read_columns(const Sorting& s, int row, int first, Line* to) {
    const int depth = sorting_depth(s), width = smaller(LANES, s.columns - first);
    const float* from = s.data + row * s.row_stride + first;
    Line check{};
    for (int k = 0; k < depth; k += LANES) {
        Line block[LANES] = {};
        for (int j = 0; j < smaller(LANES, s.angles - k); ++j)
            __builtin_memcpy(&block[j], from + (k + j) * s.angle_stride, sizeof(float) * width);
        transpose(block);
        for (int j = 0; j < LANES; ++j) {
            to[(std::ptrdiff_t(j) * depth + k) / LANES] = block[j];
            check += block[j] * 0.0f;
        }
    }
    bool finite = true;
    for (int j = 0; j < LANES; ++j) finite = finite && check[j] == 0.0f;
    return finite;
}

static void write_sorted(const Sorting& s, int row, int first, int width, const Line* columns) {
    const int depth = sorting_depth(s);
    for (int k = 0; k < depth; k += LANES) {
        Line block[LANES];
        for (int j = 0; j < LANES; ++j) block[j] = columns[(std::ptrdiff_t(j) * depth + k) / LANES];
        transpose(block);
        for (int j = 0; j < smaller(LANES, s.angles - k); ++j) {
            float* to = s.out + (std::ptrdiff_t(k + j) * s.rows + row) * s.columns + first;
            if (s.strength != 1) {
                Line before{};
                const float* from = s.data + (k + j) * s.angle_stride + row * s.row_stride + first;
                __builtin_memcpy(&before, from, sizeof(float) * width);
                block[j] = before + s.strength * (block[j] - before);
            }
            __builtin_memcpy(to, &block[j], sizeof(float) * width);
        }
    }
}

// The mean of the ranks that are kept, sixteen of which are in every `stride`th line.
static double mean_of_ranks(const Sorting& s, const Line* ranks, std::ptrdiff_t stride) {
    Line sum{};
    for (int b = s.kept_from / LANES; b * LANES < s.kept_to; ++b) {
        Line some = ranks[b * stride];
        if (b * LANES < s.kept_from || (b + 1) * LANES > s.kept_to)
            for (int k = 0; k < LANES; ++k)
                if (b * LANES + k < s.kept_from || b * LANES + k >= s.kept_to) some[k] = 0;
        sum += some;
    }
    double total = 0;
    for (int k = 0; k < LANES; ++k) total += sum[k];
    return total / (s.kept_to - s.kept_from);
}

// Columns start ... stop - 1 of one sinogram; returns whether all values it saw are finite.
static bool sort_strip(const Sorting& s, int row, int start, int stop, Line* scratch) {
    const int depth = sorting_depth(s), half = s.size / 2, held = half + 1;
    const std::ptrdiff_t blocks = depth / LANES;
    Line* window = scratch;                          // (16 ranks, place in order)
    Line* recent = window + blocks * s.size;         // (column modulo size, 16 ranks)
    Line* fresh = recent + blocks * s.size;          // (16 ranks,)
    Line* in = fresh + blocks;                       // (column of 16, angle)
    Line* out = in + blocks * LANES;                 // (column of 16, angle)
    int* order = reinterpret_cast<int*>(out + blocks * LANES); // (column modulo held, rank)
    std::uint64_t* keys = reinterpret_cast<std::uint64_t*>(order + std::ptrdiff_t(held) * depth); // twice (angle,)
    for (std::ptrdiff_t k = 0; k < 2 * blocks * s.size; ++k) window[k] = spread(__builtin_inff());
    for (std::ptrdiff_t k = 0; k < blocks; ++k) fresh[k] = Line{};
    bool finite = true;
    int there = -1; // which sixteen columns `in` holds
    for (int n = 0; n < stop - start + 2 * half; ++n) {
        const int column = mirrored(start - half + n, s.columns), done = n - 2 * half; // of the strip
        if (column / LANES != there) {
            there = column / LANES;
            finite = read_columns(s, row, there * LANES, in) && finite;
        }
        const float* values = reinterpret_cast<const float*>(in) + std::ptrdiff_t(column % LANES) * depth;
        for (int k = 0; k < s.angles; ++k) keys[k] = std::uint64_t(rank_bits(values[k])) << 32 | std::uint32_t(k);
        const std::uint64_t* in_order = sort_ranks(keys, keys + depth, s.angles);
        float* ranked = reinterpret_cast<float*>(fresh);
        int* places = order + std::ptrdiff_t(n % held) * depth;
        for (int k = 0; k < s.angles; ++k) {
            ranked[k] = float_of(std::uint32_t(in_order[k] >> 32));
            places[k] = int(std::uint32_t(in_order[k]));
        }
        Line* oldest = recent + n % s.size * blocks;
        for (std::ptrdiff_t b = 0; b < blocks; ++b) {
            replace_in_order(window + b * s.size, s.size, oldest + b, fresh + b);
            oldest[b] = fresh[b];
        }
        if (s.means && n >= half && n - half < stop - start)
            s.means[std::ptrdiff_t(row) * s.columns + start + n - half] = mean_of_ranks(s, fresh, 1);
        if (done < 0) continue;
        if (s.means)
            s.means[std::ptrdiff_t(s.rows + row) * s.columns + start + done] = mean_of_ranks(s, window + half, s.size);
        float* to = reinterpret_cast<float*>(out) + std::ptrdiff_t(done % LANES) * depth;
        const int* back = order + std::ptrdiff_t((n - half) % held) * depth;
        for (int k = 0; k < s.angles; ++k)
            to[back[k]] = reinterpret_cast<const float*>(window + k / LANES * std::ptrdiff_t(s.size) + half)[k % LANES];
        if (done % LANES == LANES - 1 || done == stop - start - 1)
            write_sorted(s, row, start + done / LANES * LANES, done % LANES + 1, out);
    }
    return finite;
}

// Returns how many rows hold a value that is not finite.
static std::int64_t sort_stripes(const Sorting& s) {
    // Few rows are cut into strips, so that every thread has one; a strip sorts `size` - 1 columns beside it again.
    constexpr int NARROWEST = 128;
    const int most = larger(1, s.columns / NARROWEST);
    const int strips = smaller(most, (s.threads + larger(1, s.rows) - 1) / larger(1, s.rows));
    std::int64_t broken = 0;
#pragma omp parallel for num_threads(s.threads) schedule(dynamic) reduction(+ : broken)
    for (int task = 0; task < s.rows * strips; ++task) {
        const int row = task / strips, strip = task % strips;
        const int start = int(std::int64_t(s.columns) * strip / strips);
        const int stop = int(std::int64_t(s.columns) * (strip + 1) / strips);
        broken += !sort_strip(s, row, start, stop,
                              reinterpret_cast<Line*>(s.scratch) + thread_index() * s.scratch_lines);
    }
    return broken;
}

} // namespace tomarium::TOMARIUM_LEVEL
