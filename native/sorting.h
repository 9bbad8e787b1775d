// SPDX-License-Identifier: BSD-3-Clause
// Stripes of sinograms by sorting: sort each column over the angles, take the median over neighbouring columns at
// each rank, put the values back where they came from. N. T. Vo et al., Optics Express 26, 28396 (2018), algorithm 3.
//
// Sixteen columns are sorted side by side (lane_sort.h). What is sorted is a whole number: how far a value lies between
// the least and the largest of its column, and below it its angle, so that of two alike the earlier comes first. Its
// angle then gives the value itself, and the few that the whole number did not tell apart are put in order. The columns
// that a median needs are held in order of rank; what is needed of one sinogram at a time stays in the caches.
#pragma once
#include "block_sums.h"
#include "gridding.h"
#include "mirrored.h"
#include "window_median.h"

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

static inline int sorting_depth(const Sorting& s) { return (s.angles + LANES - 1) / LANES * LANES; }

// Numbers from column to column: an odd number of lines, so that the same place of many columns lies all over a cache.
static inline int sorting_pitch(const Sorting& s) { return (sorting_depth(s) / LANES | 1) * LANES; }

constexpr int LEAST_KEY = 0x00800000, KEYS = 0x7f000000; // bits of the floats that are neither subnormal nor infinite
constexpr int MOST_STEPS = 1 << 23;                      // that a float counts exactly
constexpr int ANGLES_AHEAD = 24; // angles whose values are fetched ahead
constexpr int MOVES = 8; // times its angles that values of a column are moved by, before it is sorted by its digits

template <class Angle> struct Room {
    float* ranked;       // (column modulo held, rank)
    Angle* order;        // (column modulo held, rank): angles
    float* values;       // (column of 16, angle)
    Part* keys;          // (part of 16 columns, angle, column)
    float* smooth;       // (column of WINDOWS, rank), or what was removed
    float* back;         // (column of 16, angle)
    Line* window;        // (16 ranks, place in order), unless the size is usual
    std::uint64_t* bits; // twice (angle,)
};

static inline int held_columns(const Sorting& s) { return s.size + WINDOWS + LANES; }

static std::ptrdiff_t sorting_scratch_lines(const Sorting& s) { // as they are cut up in `room_of`, for the larger type
    const std::ptrdiff_t blocks = sorting_pitch(s) / LANES;
    return blocks * (2 * held_columns(s) + 3 * LANES + WINDOWS + s.size + 4) + 1;
}

template <class Angle> static Room<Angle> room_of(const Sorting& s, Line* scratch) {
    const std::ptrdiff_t pitch = sorting_pitch(s), held = held_columns(s);
    Room<Angle> r;
    r.ranked = reinterpret_cast<float*>(scratch);
    r.values = r.ranked + held * pitch;
    r.keys = reinterpret_cast<Part*>(r.values + LANES * pitch);
    r.smooth = reinterpret_cast<float*>(r.keys + PARTS * pitch);
    r.back = r.smooth + WINDOWS * pitch;
    r.window = reinterpret_cast<Line*>(r.back + LANES * pitch);
    r.bits = reinterpret_cast<std::uint64_t*>(r.window + pitch / LANES * s.size);
    r.order = reinterpret_cast<Angle*>(r.bits + 2 * pitch);
    return r;
}

static inline void copy_line(void* to, const void* from) {
    for (int p = 0; p < PARTS; ++p) static_cast<LoosePart*>(to)[p] = static_cast<const LoosePart*>(from)[p];
}

// Whether any of some numbers is less than the one before it.
static inline bool descends(const float* at) {
#if TOMARIUM_PART == 16
    return _mm512_cmp_ps_mask(_mm512_loadu_ps(at), _mm512_loadu_ps(at - 1), _CMP_LT_OQ);
#elif TOMARIUM_PART == 8
    return _mm256_movemask_ps(_mm256_cmp_ps(_mm256_loadu_ps(at), _mm256_loadu_ps(at - 1), _CMP_LT_OQ));
#else
    bool found = false;
    for (int k = 0; k < PART; ++k) found |= at[k] < at[k - 1];
    return found;
#endif
}

static inline void store_angles(std::int32_t* to, const WholePart* parts) {
    for (int p = 0; p < PARTS; ++p) *reinterpret_cast<WholePart*>(to + p * PART) = parts[p];
}
static inline void store_angles(std::uint16_t* to, const WholePart* parts) { // the lower halves
    typedef std::int16_t Halves __attribute__((vector_size(2 * LANES), aligned(2 * LANES), may_alias));
    const Halves* two = reinterpret_cast<const Halves*>(parts);
    *reinterpret_cast<Halves*>(to) = __builtin_shufflevector(two[0], two[1], 0, 2, 4, 6, 8, 10, 12, 14, 16, 18, 20, 22,
                                                             24, 26, 28, 30);
}

template <class Angle> static void sort_by_digits(const Sorting& s, const float* values, float* ranked, Angle* order,
                                                  std::uint64_t* keys) {
    for (int k = 0; k < s.angles; ++k) keys[k] = std::uint64_t(rank_bits(values[k])) << 32 | std::uint32_t(k);
    const std::uint64_t* in_order = sort_ranks(keys, keys + sorting_depth(s), s.angles);
    for (int k = 0; k < s.angles; ++k) {
        ranked[k] = float_of(std::uint32_t(in_order[k] >> 32));
        order[k] = Angle(in_order[k]);
    }
}

// Puts values in order that keys did not tell apart; false where too many would have to be moved.
template <class Angle> static bool mend_order(int count, float* ranked, Angle* order) {
    std::int64_t moves = std::int64_t(MOVES) * count;
    for (int b = 0; b < count; b += PART) {
        if (b && b + PART <= count && !descends(ranked + b)) continue;
        for (int k = larger(b, 1); k < smaller(b + PART, count); ++k) {
            const float value = ranked[k];
            const Angle angle = order[k];
            int to = k;
            for (; to > 0 && ranked[to - 1] > value; --to) {
                ranked[to] = ranked[to - 1];
                order[to] = order[to - 1];
            }
            ranked[to] = value;
            order[to] = angle;
            moves -= k - to;
        }
        if (moves < 0) return false;
    }
    return true;
}

// One number after the other: instructions that gather are slower on most processors.
template <class Angle>
static inline void take_in_order(int count, const Angle* __restrict order, const float* __restrict values,
                                 float* __restrict ranked) {
#pragma GCC unroll 8
    for (int k = 0; k < count; ++k) ranked[k] = values[order[k]];
}

// Sorts columns `first` to `first` + 15; returns whether all values are finite.
template <class Angle> static bool sort_columns(const Sorting& s, int row, int first, const Room<Angle>& r) {
    const int depth = sorting_depth(s), pitch = sorting_pitch(s), held = held_columns(s);
    const int width = smaller(LANES, s.columns - first);
    const float* from = s.data + (s.group_stride ? first / LANES * s.group_stride : row * s.row_stride + first);
    Line low = spread(__builtin_inff()), high = -low, check{};
    for (int k = 0; k < depth; k += LANES) {
        Line block[LANES];
        const int there = smaller(LANES, s.angles - k);
        for (int j = there; j < LANES; ++j) block[j] = Line{};
        for (int j = 0; j < there; ++j) {
            const float* at = from + (k + j) * s.angle_stride;
            __builtin_prefetch(at + ANGLES_AHEAD * s.angle_stride);
            Line rest;
            if (width < LANES) {
                rest = Line{};
                __builtin_memcpy(&rest, at, sizeof(float) * width);
                at = reinterpret_cast<const float*>(&rest);
            }
            for (int p = 0; p < PARTS; ++p) {
                const Part value = load_part(at + p * PART) + 0.0f; // -0 is 0
                Part &least = reinterpret_cast<Part*>(&low)[p], &most = reinterpret_cast<Part*>(&high)[p];
                least = smaller(least, value);
                most = larger(most, value);
                reinterpret_cast<Part*>(&check)[p] += value * 0.0f;
                r.keys[std::ptrdiff_t(p) * pitch + k + j] = reinterpret_cast<Part*>(&block[j])[p] = value;
            }
        }
        transpose(block);
        for (int j = 0; j < width; ++j) copy_line(r.values + std::ptrdiff_t(j) * pitch + k, block + j);
    }
    for (int j = 0; j < LANES; ++j)
        if (check[j] != 0.0f) return false;
    int digits = 0;
    while (std::int64_t(1) << digits < s.angles) ++digits;
    const int mask = (1 << digits) - 1;
    const float steps = float(smaller(KEYS >> digits, MOST_STEPS) - 1);
    for (int p = 0; p < PARTS; ++p) {
        const Part least = reinterpret_cast<Part*>(&low)[p];
        Part scale = reinterpret_cast<Part*>(&high)[p] - least;
        for (int l = 0; l < PART; ++l) {
            const float one = scale[l] > 0 ? steps / scale[l] : 0;
            scale[l] = one < __FLT_MAX__ ? one : 0;
        }
        Part* keys = r.keys + std::ptrdiff_t(p) * pitch;
        for (int k = 0; k < s.angles; ++k) {
            const Part step = smaller(part(steps), (keys[k] - least) * scale); // a NaN, of infinity times 0, is `steps`
            keys[k] = (Part)((__builtin_convertvector(step, WholePart) << digits) + (LEAST_KEY + k));
        }
        for (int k = s.angles; k < depth; ++k) keys[k] = part(__builtin_inff());
        sort_lanes(keys, depth);
    }
    for (int k = 0; k < depth; k += LANES) {
        Line block[LANES];
        for (int j = 0; j < LANES; ++j)
            for (int p = 0; p < PARTS; ++p)
                reinterpret_cast<Part*>(&block[j])[p] = r.keys[std::ptrdiff_t(p) * pitch + k + j];
        transpose(block);
        for (int j = 0; j < width; ++j) {
            const std::ptrdiff_t to = std::ptrdiff_t((first + j) % held) * pitch + k;
            WholePart angles[PARTS];
            for (int p = 0; p < PARTS; ++p) angles[p] = reinterpret_cast<WholePart*>(&block[j])[p] & mask;
            store_angles(r.order + to, angles);
        }
    }
    for (int j = 0; j < width; ++j) {
        const std::ptrdiff_t to = std::ptrdiff_t((first + j) % held) * pitch;
        take_in_order(s.angles, r.order + to, r.values + std::ptrdiff_t(j) * pitch, r.ranked + to);
        for (int k = s.angles; k < depth; ++k) r.ranked[to + k] = 0;
        if (!mend_order(s.angles, r.ranked + to, r.order + to))
            sort_by_digits(s, r.values + std::ptrdiff_t(j) * pitch, r.ranked + to, r.order + to, r.bits);
    }
    return true;
}

// Writes columns of the sinogram.
template <bool WHOLE> static void write_columns(const Sorting& s, int row, int first, int width, const float* columns) {
    const int depth = sorting_depth(s), pitch = sorting_pitch(s);
    for (int k = 0; k < depth; k += LANES) {
        Line block[LANES];
        for (int j = 0; j < LANES; ++j) copy_line(block + j, columns + std::ptrdiff_t(j) * pitch + k);
        transpose(block);
        for (int j = 0; j < smaller(LANES, s.angles - k); ++j) {
            float* to = s.out + (std::ptrdiff_t(k + j) * s.rows + row) * s.columns + first;
            __builtin_prefetch(to + ANGLES_AHEAD * std::ptrdiff_t(s.rows) * s.columns, 1);
            if (s.strength != 1) {
                const float* from = s.data + (k + j) * s.angle_stride + row * s.row_stride + first;
                __builtin_prefetch(from + ANGLES_AHEAD * s.angle_stride);
                Line rest;
                if (!WHOLE) {
                    rest = Line{};
                    __builtin_memcpy(&rest, from, sizeof(float) * width);
                    from = reinterpret_cast<const float*>(&rest);
                }
                for (int p = 0; p < PARTS; ++p) {
                    const Part was = load_part(from + p * PART);
                    Part& is = reinterpret_cast<Part*>(block + j)[p];
                    is = was + s.strength * (is - was);
                }
            }
            if (WHOLE)
                copy_line(to, block + j);
            else
                __builtin_memcpy(to, block + j, sizeof(float) * width);
        }
    }
}

// Writes what was removed of a group of columns, and its means in blocks of angles.
static void write_group(const Sorting& s, int first, int width, const float* columns) {
    const int depth = sorting_depth(s), pitch = sorting_pitch(s);
    BlockSums sums(s.block_means, s.blocks, s.angles, s.columns, first, width);
    BlockSums more(s.more_block_means, s.more_blocks, s.angles, s.columns, first, width);
    float* to = s.out + first / LANES * s.group_stride;
    for (int k = 0; k < depth; k += LANES) {
        Line block[LANES];
        for (int j = 0; j < width; ++j) copy_line(block + j, columns + std::ptrdiff_t(j) * pitch + k);
        for (int j = width; j < LANES; ++j) block[j] = Line{};
        transpose(block);
        for (int j = 0; j < smaller(LANES, s.angles - k); ++j, to += LANES) {
            copy_line(to, block + j);
            sums.add(k + j, block[j]);
            more.add(k + j, block[j]);
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
// Puts what ranks became where their values were.
template <class Angle>
static inline void put_back(int count, const Angle* __restrict order, const float* __restrict smooth,
                            float* __restrict to) {
#pragma GCC unroll 8
    for (int k = 0; k < count; ++k) to[order[k]] = smooth[k];
}

// Columns start ... stop - 1 of one sinogram; returns whether all values it saw are finite.
// Puts ranks, or what they were more than the smooth ones, where their values were.
template <bool REMOVED, class Angle>
static inline void put_back(int angles, const Angle* __restrict order, const float* __restrict ranked,
                            const float* __restrict smooth, float* __restrict to) {
    for (int k = 0; k < angles; ++k) to[order[k]] = REMOVED ? ranked[k] - smooth[k] : smooth[k];
}

template <class Angle> static bool sort_strip(const Sorting& s, int row, int start, int stop, Line* scratch) {
    const int depth = sorting_depth(s), pitch = sorting_pitch(s), half = s.size / 2, held = held_columns(s);
    const int last = smaller(s.columns, stop + half), step = s.size == USUAL_SIZE ? WINDOWS : 1;
    const std::ptrdiff_t blocks = depth / LANES;
    const Room<Angle> r = room_of<Angle>(s, scratch);
    const auto ranks_of = [&](int column) {
        return r.ranked + std::ptrdiff_t(mirrored(column, s.columns) % held) * pitch;
    };
    if (step == 1)
        for (std::ptrdiff_t k = 0; k < blocks * s.size; ++k) r.window[k] = spread(__builtin_inff());
    int ready = larger(0, start - half), entered = start - half; // in no window yet
    for (int done = start; done < stop;) {
        const int count = smaller(step, stop - done);
        while (ready < smaller(last, done + count + half)) {
            if (!sort_columns(s, row, ready, r)) return false;
            for (int c = larger(ready, start); s.means && c < smaller(ready + LANES, stop); ++c)
                s.means[std::ptrdiff_t(row) * s.columns + c] =
                    mean_of_ranks(s, reinterpret_cast<const Line*>(ranks_of(c)), 1);
            ready = smaller(ready + LANES, s.columns);
        }
        if (step == WINDOWS) {
            const float* seen[SEEN];
            float* out[WINDOWS];
            for (int k = 0; k < SEEN; ++k) seen[k] = ranks_of(smaller(done - half + k, stop - 1 + half));
            for (int k = 0; k < WINDOWS; ++k) out[k] = r.smooth + std::ptrdiff_t(k) * pitch;
            if (s.group_stride)
                for (int k = 0; k < depth; k += PART) medians_of_21<true>(seen, k, out);
            else
                for (int k = 0; k < depth; k += PART) medians_of_21<false>(seen, k, out);
        } else {
            for (; entered <= done + half; ++entered) {
                const Line* fresh = reinterpret_cast<const Line*>(ranks_of(entered));
                const bool leaves = entered >= start - half + s.size;
                const Line* old = reinterpret_cast<const Line*>(ranks_of(leaves ? entered - s.size : entered));
                const Line none = spread(__builtin_inff());
                for (std::ptrdiff_t b = 0; b < blocks; ++b)
                    replace_in_order(r.window + b * s.size, s.size, leaves ? old + b : &none, fresh + b);
            }
            for (std::ptrdiff_t b = 0; b < blocks; ++b)
                store(r.smooth + b * LANES, r.window[b * s.size + half]);
            if (s.group_stride)
                for (int k = 0; k < depth; ++k) r.smooth[k] = ranks_of(done)[k] - r.smooth[k];
        }
        for (int n = 0; n < count; ++n, ++done) {
            const float* smooth = r.smooth + std::ptrdiff_t(n) * pitch;
            const int at = (done - start) % LANES;
            if (s.means)
                s.means[std::ptrdiff_t(s.rows + row) * s.columns + done] =
                    mean_of_ranks(s, reinterpret_cast<const Line*>(smooth), 1);
            const Angle* order = r.order + std::ptrdiff_t(done % held) * pitch;
            float* to = r.back + std::ptrdiff_t(at) * pitch;
            put_back(s.angles, order, smooth, to);
            const bool full = at == LANES - 1;
            if (!full && done != stop - 1) continue;
            if (s.group_stride)
                write_group(s, done - at, at + 1, r.back);
            else if (full)
                write_columns<true>(s, row, done - at, LANES, r.back);
            else
                write_columns<false>(s, row, done - at, at + 1, r.back);
        }
    }
    return true;
}

// Returns how many rows hold a value that is not finite.
static std::int64_t sort_stripes(const Sorting& s) {
    // Few rows are cut into strips, so that every thread has one; a strip sorts `size` - 1 columns beside it again.
    constexpr int NARROWEST = 128;
    const int most = larger(1, s.columns / NARROWEST);
    const int strips = s.group_stride ? 1 : smaller(most, (s.threads + larger(1, s.rows) - 1) / larger(1, s.rows));
    std::int64_t broken = 0;
#pragma omp parallel for num_threads(s.threads) schedule(dynamic) reduction(+ : broken)
    for (int task = 0; task < s.rows * strips; ++task) {
        const int row = task / strips, strip = task % strips;
        const int start = int(std::int64_t(s.columns) * strip / strips);
        const int stop = int(std::int64_t(s.columns) * (strip + 1) / strips);
        Line* scratch = reinterpret_cast<Line*>(s.scratch) + thread_index() * s.scratch_lines;
        broken += s.angles <= 0x10000 ? !sort_strip<std::uint16_t>(s, row, start, stop, scratch)
                                      : !sort_strip<std::int32_t>(s, row, start, stop, scratch);
    }
    return broken;
}

} // namespace tomarium::TOMARIUM_LEVEL
