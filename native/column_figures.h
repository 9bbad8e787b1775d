// SPDX-License-Identifier: BSD-3-Clause
// Figures of the columns of one sinogram: the median of their second differences over the angles, their means in blocks
// of angles, and medians of such figures over neighbouring columns.
//
// A median over angles is looked for by halving the interval that it lies in, sixteen columns at a time, each time
// counting what lies below the middle, of the upper halves of the numbers: a number without sign orders as its bits do.
// Few share the upper half of the median; those are put in order.
#pragma once
#include "block_sums.h"
#include "mirrored.h"

namespace tomarium::TOMARIUM_LEVEL {

constexpr int HALVES_HELD = PART < 8 ? 8 : LANES, PIECES = LANES / HALVES_HELD; // of halves in a register
typedef std::int16_t Halves __attribute__((vector_size(2 * HALVES_HELD), aligned(2 * HALVES_HELD), may_alias));
typedef std::int32_t Counts __attribute__((vector_size(4 * PART), aligned(4 * PART), may_alias));

constexpr int COUNTED = 1 << 14; // how many numbers a half counts without overflow
constexpr int FEW_SHARE = 96;    // numbers that share an upper half and are put in order one by one

static std::ptrdiff_t difference_scratch_lines(const ColumnFigures& f) { // the numbers, and their upper halves
    return f.angles + (f.angles + 1) / 2;
}

// The upper halves of the numbers of a line, in their order; none of them is negative.
static inline void upper_halves(const Line* line, Halves* to) {
#if TOMARIUM_PART == 16
    *to = (Halves)_mm512_cvtepi32_epi16(_mm512_srli_epi32((__m512i)*line, 16));
#elif TOMARIUM_PART == 8
    const __m256i* two = reinterpret_cast<const __m256i*>(line);
    const __m256i both = _mm256_packus_epi32(_mm256_srli_epi32(two[0], 16), _mm256_srli_epi32(two[1], 16));
    *to = (Halves)_mm256_permute4x64_epi64(both, 0xd8);
#elif defined(__SSE2__)
    const __m128i* four = reinterpret_cast<const __m128i*>(line);
    for (int k = 0; k < 2; ++k)
        to[k] = (Halves)_mm_packs_epi32(_mm_srli_epi32(four[2 * k], 16), _mm_srli_epi32(four[2 * k + 1], 16));
#else
    for (int l = 0; l < LANES; ++l)
        to[l / HALVES_HELD][l % HALVES_HELD] = reinterpret_cast<const std::int32_t*>(line)[l] >> 16;
#endif
}

// Two bits for each of sixteen lanes, set where its half is the one looked for.
static inline std::uint32_t lanes_like(const Halves* halves, const Halves* looked_for) {
#if TOMARIUM_PART >= 8
    return std::uint32_t(_mm256_movemask_epi8((__m256i)(halves[0] == looked_for[0])));
#elif defined(__SSE2__)
    return std::uint32_t(_mm_movemask_epi8((__m128i)(halves[0] == looked_for[0]))) |
           std::uint32_t(_mm_movemask_epi8((__m128i)(halves[1] == looked_for[1]))) << 16;
#else
    std::uint32_t found = 0;
    for (int l = 0; l < LANES; ++l)
        if (halves[l / HALVES_HELD][l % HALVES_HELD] == looked_for[l / HALVES_HELD][l % HALVES_HELD])
            found |= std::uint32_t(3) << 2 * l;
    return found;
#endif
}

// How many halves of each column are less than `than`.
static inline void count_less(const Halves* values, int count, const Halves* than, std::int32_t* total) {
    for (int l = 0; l < LANES; ++l) total[l] = 0;
    for (int piece = 0; piece < PIECES; ++piece)
        for (int k = 0; k < count; k += COUNTED) {
            const int stop = smaller(count, k + COUNTED);
            Halves some{}, more{};
            int j = k;
            for (; j + 2 <= stop; j += 2) {
                some -= Halves(values[j * PIECES + piece] < than[piece]);
                more -= Halves(values[(j + 1) * PIECES + piece] < than[piece]);
            }
            if (j < stop) some -= Halves(values[j * PIECES + piece] < than[piece]);
            some += more;
            for (int l = 0; l < HALVES_HELD; ++l) total[piece * HALVES_HELD + l] += some[l];
        }
}

// Of each column the largest upper half below which no more than `rank` lie: that at `rank`.
static inline void half_at(const Halves* values, int count, int rank, Halves* found) {
    for (int piece = 0; piece < PIECES; ++piece) found[piece] = Halves{};
    for (int bit = 14; bit >= 0; --bit) {
        Halves one[PIECES];
        for (int piece = 0; piece < PIECES; ++piece) one[piece] = found[piece] | std::int16_t(1 << bit);
        std::int32_t less[LANES];
        count_less(values, count, one, less);
        for (int l = 0; l < LANES; ++l)
            if (less[l] <= rank) found[l / HALVES_HELD][l % HALVES_HELD] |= std::int16_t(1 << bit);
    }
}

// The bits of the number at `rank` of each column, where the upper half of it is known and many share that.
static inline void search_lower_half(const Line* numbers, int count, int rank, Line* found) {
    for (int bit = 15; bit >= 0; --bit)
        for (int p = 0; p < PARTS; ++p) {
            Counts& bits = reinterpret_cast<Counts*>(found)[p];
            const Counts one = bits | (1 << bit);
            Counts less{};
            for (int k = 0; k < count; ++k) less -= (Counts)(reinterpret_cast<const Counts*>(numbers + k)[p] < one);
            bits = (Counts)(less <= rank) ? one : bits;
        }
}

// Of the `width` first columns the number at `rank`.
static inline Line number_at(const Line* numbers, const Halves* high, int count, int rank, int width) {
    Halves upper[PIECES];
    half_at(high, count, rank, upper);
    std::int32_t less[LANES];
    count_less(high, count, upper, less);
    std::uint16_t kept[LANES][FEW_SHARE];
    int shared[LANES] = {};
    for (int k = 0; k < count; ++k)
        for (std::uint32_t lanes = lanes_like(high + k * PIECES, upper) & 0x55555555u; lanes; lanes &= lanes - 1) {
            const int l = __builtin_ctz(lanes) / 2;
            if (shared[l] < FEW_SHARE) kept[l][shared[l]] = std::uint16_t(reinterpret_cast<const std::int32_t*>(numbers + k)[l]);
            ++shared[l];
        }
    Line found;
    std::int32_t* bits = reinterpret_cast<std::int32_t*>(&found);
    bool many = false;
    for (int l = 0; l < LANES; ++l) {
        bits[l] = std::int32_t(upper[l / HALVES_HELD][l % HALVES_HELD]) << 16;
        many |= l < width && shared[l] > FEW_SHARE;
    }
    if (many) {
        search_lower_half(numbers, count, rank, &found);
        return found;
    }
    for (int l = 0; l < width; ++l) {
        std::uint16_t* lower = kept[l];
        for (int k = 1; k < shared[l]; ++k) {
            const std::uint16_t value = lower[k];
            int to = k;
            for (; to > 0 && lower[to - 1] > value; --to) lower[to] = lower[to - 1];
            lower[to] = value;
        }
        bits[l] |= lower[rank - less[l]];
    }
    return found;
}

// The mean of the number in the middle and that below it, of an even count of numbers.
static inline Line mean_with_below(const Line* numbers, int count, const Line& above) {
    Line median;
    for (int p = 0; p < PARTS; ++p) { // the largest of those that are less, unless the number below is its equal
        const Part than = reinterpret_cast<const Part*>(&above)[p];
        Part largest{};
        Counts fewer{};
        for (int k = 0; k < count; ++k) {
            const Part number = reinterpret_cast<const Part*>(numbers + k)[p];
            const Counts truth = (Counts)(number < than);
            fewer -= truth;
            largest = larger(largest, (Part)((Counts)number & truth));
        }
        const Part other = (Part)((Counts)largest & (Counts)(fewer == count / 2)) +
                           (Part)((Counts)than & (Counts)(fewer != count / 2));
        reinterpret_cast<Part*>(&median)[p] = 0.5f * (other + than);
    }
    return median;
}

// The median of |a[k] - 2 a[k + 1] + a[k + 2]| of each column; of an even number the mean of the two in the middle.
// With blocks, their means, the least and the largest number, and whether all are finite.
static void column_figures(ColumnFigures& f) {
    const int count = f.angles - 2;
    Line* numbers = reinterpret_cast<Line*>(f.scratch);
    Halves* high = reinterpret_cast<Halves*>(numbers + f.angles);
    f.least = __builtin_inff();
    f.largest = -f.least;
    f.finite = true;
    for (int first = 0; first < f.columns; first += LANES) {
        const int width = smaller(LANES, f.columns - first);
        const float* from = f.data + first / LANES * f.group_stride;
        const bool whole = width == LANES || f.group_stride != LANES; // a group is whole, whatever is in it
        const bool seen = f.blocks != 0;
        const int angles = f.angles;
        const std::ptrdiff_t stride = f.stride;
        BlockSums sums(f.means, f.blocks, f.angles, f.columns, first, width);
        BlockSums more(f.more_means, f.more_blocks, f.angles, f.columns, first, width);
        Part before[PARTS] = {}, here[PARTS] = {}, check[PARTS] = {}, low[PARTS], high_of[PARTS];
        for (int p = 0; p < PARTS; ++p) high_of[p] = -(low[p] = part(__builtin_inff()));
        for (int k = 0; k < angles; ++k) {
            Line line{};
            if (whole)
                for (int p = 0; p < PARTS; ++p)
                    reinterpret_cast<Part*>(&line)[p] = *reinterpret_cast<const LoosePart*>(from + k * stride + p * PART);
            else
                __builtin_memcpy(&line, from + k * stride, sizeof(float) * width);
            for (int p = 0; p < PARTS; ++p) {
                const Part after = reinterpret_cast<const Part*>(&line)[p];
                if (k >= 2) {
                    const Part second = (after - here[p]) - (here[p] - before[p]);
                    reinterpret_cast<Counts*>(numbers + k - 2)[p] = (Counts)second & 0x7fffffff;
                }
                before[p] = here[p];
                here[p] = after;
                if (seen) {
                    low[p] = smaller(low[p], after);
                    high_of[p] = larger(high_of[p], after);
                    check[p] += after * 0.0f;
                }
            }
            sums.add(k, line);
            more.add(k, line);
        }
        for (int k = 0; k < count; ++k) upper_halves(numbers + k, high + k * PIECES);
        for (int l = 0; f.blocks && l < width; ++l) {
            f.least = smaller(f.least, float(low[l / PART][l % PART]));
            f.largest = larger(f.largest, float(high_of[l / PART][l % PART]));
            f.finite &= check[l / PART][l % PART] == 0.0f;
        }
        Line median = number_at(numbers, high, count, count / 2, width);
        if (count % 2 == 0) median = mean_with_below(numbers, count, median);
        __builtin_memcpy(f.medians + first, &median, sizeof(float) * width);
    }
}

// Medians of nine, from three neighbouring threes in order: of the largest of their least, the median of their middle
// ones, and the least of their largest.
static inline void running_medians_of_9(const double* values, int columns, double* out) {
    constexpr int TOGETHER = 64;
    const auto middle = [](double a, double b, double c) { return larger(smaller(a, b), smaller(larger(a, b), c)); };
    for (int first = 0; first < columns; first += TOGETHER) {
        double low[TOGETHER + 6], mid[TOGETHER + 6], high[TOGETHER + 6];
        const int count = smaller(TOGETHER, columns - first);
        const double* from = values + first;
        for (int k = 0; k < count + 6; ++k) {
            const double a = from[k], b = from[k + 1], c = from[k + 2];
            low[k] = smaller(smaller(a, b), c);
            mid[k] = middle(a, b, c);
            high[k] = larger(larger(a, b), c);
        }
        for (int k = 0; k < count; ++k)
            out[first + k] = middle(larger(larger(low[k], low[k + 3]), low[k + 6]), middle(mid[k], mid[k + 3], mid[k + 6]),
                                    smaller(smaller(high[k], high[k + 3]), high[k + 6]));
    }
}

// The window is kept in order; what enters takes the place of what leaves.
static void running_medians(const RunningMedians& r) {
    const int half = r.size / 2;
    double *window = r.scratch, *line = window + r.size;
    for (int row = 0; row < r.rows; ++row) {
        const double* values = r.values + std::ptrdiff_t(row) * r.columns;
        double* out = r.out + std::ptrdiff_t(row) * r.columns;
        for (int k = 0; k < half; ++k) {
            line[k] = values[mirrored(k - half, r.columns)];
            line[half + r.columns + k] = values[mirrored(r.columns + k, r.columns)];
        }
        __builtin_memcpy(line + half, values, sizeof(double) * r.columns);
        if (r.size == 9) {
            running_medians_of_9(line, r.columns, out);
            continue;
        }
        for (int count = 0; count < r.size; ++count) {
            int to = count;
            for (; to > 0 && window[to - 1] > line[count]; --to) window[to] = window[to - 1];
            window[to] = line[count];
        }
        for (int c = 0;; ++c) {
            out[c] = window[half];
            if (c + 1 == r.columns) break;
            const double leaving = line[c], entering = line[c + r.size];
            int at = 0;
            while (at + 1 < r.size && window[at] < leaving) ++at;
            for (; at + 1 < r.size && window[at + 1] < entering; ++at) window[at] = window[at + 1];
            for (; at > 0 && window[at - 1] > entering; --at) window[at] = window[at - 1];
            window[at] = entering;
        }
    }
}

} // namespace tomarium::TOMARIUM_LEVEL
