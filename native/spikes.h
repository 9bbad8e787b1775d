// SPDX-License-Identifier: BSD-3-Clause
// Spikes: pixels far above the median of their 3 x 3 neighbourhood, in units of the noise at its brightness. The
// median of nine is that of the largest of the three columns' smallest, the median of their medians and the smallest
// of their largest, so that each column of three is sorted once for three pixels. Where frames are beside, a spike has to
// stand out of the same pixel in those too.
#pragma once
#include "flat_field.h"
#include "gridding.h"

namespace tomarium::TOMARIUM_LEVEL {

constexpr int MOST_BRIGHT = 4;   // pixels of a spike; what is larger was seen, as an edge or a crack is
constexpr int MOST_NEW = 6;      // pixels of one that is told in the excess over the frames beside
constexpr double BOTH = 6.0 / 7; // part of the threshold above the brighter of two frames; above their mean the whole
constexpr float MOVING = 0.5f;   // part of the largest loss within two pixels that a spike rises; of a larger one twice it
constexpr double SKIRT = 4;      // deviations above which a pixel beside a spike is part of it

static inline float brightest_if_none(float v) { // what is not finite counts as brighter than all
    return __builtin_fabsf(v) <= 3.40282347e38f ? v : __builtin_inff();
}
static inline Part brightest_if_none(Part v) {
    const float largest = 3.40282347e38f;
    return (v >= -largest) & (v <= largest) ? v : part(__builtin_inff());
}

template <class T> static inline void order(T& a, T& b) {
    const T low = smaller(a, b);
    b = larger(a, b);
    a = low;
}
template <class T> static inline T middle_of(T a, T b, T c) {
    order(a, b);
    return larger(a, smaller(b, c));
}

template <class Count> static inline Count counts_of(float v) {
    if constexpr (sizeof(Count) == sizeof(float)) return v;
    else return Count(smaller(larger(__builtin_rintf(v), 0.0f), 65535.0f));
}

// The frame at hand: a pixel, its median and the noise there.
template <class Count> struct Frame {
    const Spikes& s;
    const Count* pixels;
    const Count* beside[2]; // frames near it, or null

    float signal(const Count* from, int row, int column) const {
        const std::ptrdiff_t i = row * std::ptrdiff_t(s.columns) + column;
        return (float(from[i]) - s.dark[i]) * s.relative[i];
    }
    float value(int row, int column) const { return brightest_if_none(signal(pixels, row, column)); }

    bool has_beside() const { return beside[0] || beside[1]; }

    // The brighter of the frames beside; what is not finite is not there.
    float before(int row, int column) const {
        float most = -__builtin_inff();
        for (const Count* from : beside) {
            if (!from) continue;
            const float v = signal(from, row, column);
            if (__builtin_fabsf(v) <= 3.40282347e38f) most = larger(most, v);
        }
        return most;
    }

    // The mean of the frames beside where both have a value, else what there is.
    float mean(int row, int column) const {
        if (beside[0] && beside[1]) {
            const float m = 0.5f * (signal(beside[0], row, column) + signal(beside[1], row, column));
            if (__builtin_fabsf(m) <= 3.40282347e38f) return m;
        }
        return before(row, column);
    }

    // What a spike is replaced by: the median of its neighbourhood and of the frames beside, where there are two.
    float mended(int row, int column, float median) const {
        if (!beside[0] || !beside[1]) return median;
        const float a = signal(beside[0], row, column), b = signal(beside[1], row, column);
        const float largest = 3.40282347e38f;
        return __builtin_fabsf(a) <= largest && __builtin_fabsf(b) <= largest ? middle_of(median, a, b) : median;
    }

    // Whether it was not there in the frames beside, neither in its place nor over and under it.
    bool is_new(int row, int column) const {
        if (!has_beside()) return true;
        const float was = before(row, column), v = value(row, column);
        const double allowed = s.threshold * noise(s.in_time, was);
        if (!(double(v - was) > BOTH * allowed) || !(double(v - mean(row, column)) > allowed)) return false;
        float most = was;
        for (int y = larger(row - 1, 0); y <= smaller(row + 1, s.rows - 1); ++y) most = larger(most, before(y, column));
        return double(v - most) > 0.5 * allowed;
    }

    float median(int row, int column) const {
        float low[3], middle[3], high[3];
        for (int j = 0; j < 3; ++j) {
            const int c = smaller(larger(column + j - 1, 0), s.columns - 1);
            float a = value(larger(row - 1, 0), c), b = value(row, c), d = value(smaller(row + 1, s.rows - 1), c);
            order(a, b);
            order(b, d);
            order(a, b);
            low[j] = a;
            middle[j] = b;
            high[j] = d;
        }
        return middle_of(larger(larger(low[0], low[1]), low[2]), middle_of(middle[0], middle[1], middle[2]),
                         smaller(smaller(high[0], high[1]), high[2]));
    }

    // Linear between the levels, level beyond them.
    double noise(const double* sigma, float brightness) const {
        int begin = 0, end = s.levels; // the first level above the brightness
        while (begin < end) {
            const int middle = (begin + end) / 2;
            if (s.brightness[middle] > brightness) end = middle;
            else begin = middle + 1;
        }
        if (end == 0) return sigma[0];
        if (end == s.levels) return sigma[end - 1];
        const double x0 = s.brightness[end - 1], slope = (sigma[end] - sigma[end - 1]) / (s.brightness[end] - x0);
        return slope * (brightness - x0) + sigma[end - 1];
    }

    bool stands_out(int row, int column, float median, double deviations) const {
        const float v = signal(pixels, row, column);
        return v - median < __builtin_inff() && double(v - median) > deviations * noise(s.sigma, median);
    }

    // How far a pixel rises, and above what of it neighbours belong to it.
    float rise(int row, int column) const {
        return has_beside() ? value(row, column) - before(row, column) : value(row, column);
    }

    // A spike and what hangs together with it.
    struct Parts {
        int rows[MOST_NEW], columns[MOST_NEW], count;
    };

    // Grows from the pixel over neighbours that rise half as high; none of them where there are too many.
    Parts parts(int row, int column, float median) const {
        const bool is_compared = has_beside();
        const float from = is_compared ? 0 : median, half = from + 0.5f * (rise(row, column) - from);
        const int most = is_compared ? MOST_NEW : MOST_BRIGHT;
        Parts p{{row}, {column}, 1};
        for (int n = 0; n < p.count; ++n)
            for (int y = larger(p.rows[n] - 1, 0); y <= smaller(p.rows[n] + 1, s.rows - 1); ++y)
                for (int x = larger(p.columns[n] - 1, 0); x <= smaller(p.columns[n] + 1, s.columns - 1); ++x) {
                    bool is_part = rise(y, x) > half;
                    for (int k = 0; k < p.count; ++k) is_part = is_part && !(p.rows[k] == y && p.columns[k] == x);
                    if (!is_part) continue;
                    if (p.count == most) {
                        p.count = 0;
                        return p;
                    }
                    p.rows[p.count] = y;
                    p.columns[p.count++] = x;
                }
        if (is_compared && !is_still(row, column, p.count > MOST_BRIGHT ? 1 / MOVING : MOVING)) p.count = 0;
        return p;
    }

    // Whether the pixel rises by so many times what any within two pixels of it loses.
    bool is_still(int row, int column, float times) const {
        float lowest = rise(row, column);
        for (int y = larger(row - 2, 0); y <= smaller(row + 2, s.rows - 1); ++y)
            for (int x = larger(column - 2, 0); x <= smaller(column + 2, s.columns - 1); ++x)
                lowest = smaller(lowest, rise(y, x));
        return rise(row, column) > -lowest * times;
    }

    // Whether a pixel beside a spike is part of it.
    bool belongs(int row, int column, float median) const {
        if (!stands_out(row, column, median, SKIRT)) return false;
        if (!has_beside()) return true;
        const float was = before(row, column);
        return double(value(row, column) - was) > SKIRT * noise(s.in_time, was);
    }

    // Replaces a pixel if it belongs to a spike that rises twice as high as `half`; returns whether it has a new value.
    bool mend_one(int y, int x, float half, Count* out) const {
        const float m = median(y, x), up = rise(y, x);
        if (!belongs(y, x, m) && !(beside[0] && beside[1] && up > half && up < __builtin_inff())) return false;
        const std::ptrdiff_t i = y * std::ptrdiff_t(s.columns) + x;
        const bool untouched = out[i] == pixels[i];
        out[i] = counts_of<Count>(mended(y, x, m) / s.relative[i] + s.dark[i]);
        return untouched && out[i] != pixels[i];
    }

    // Replaces a spike and what belongs to it; returns how many pixels took another value.
    std::int64_t mend(const Parts& p, Count* out) const {
        const int row = p.rows[0], column = p.columns[0];
        const float half = 0.5f * rise(row, column);
        std::int64_t count = 0;
        for (int y = larger(row - 1, 0); y <= smaller(row + 1, s.rows - 1); ++y)
            for (int x = larger(column - 1, 0); x <= smaller(column + 1, s.columns - 1); ++x)
                count += mend_one(y, x, half, out);
        for (int k = 1; k < p.count; ++k) {
            const int down = p.rows[k] - row, along = p.columns[k] - column;
            if (down * down > 1 || along * along > 1) count += mend_one(p.rows[k], p.columns[k], half, out);
        }
        return count;
    }
};

// Signals of one row of the frame, with one pixel repeated on either side; `to` is the place of the first.
template <class Count> static void widen(const Frame<Count>& frame, int y, float* to) {
    const Spikes& s = frame.s;
    const std::ptrdiff_t first = y * std::ptrdiff_t(s.columns);
    const Count* from = frame.pixels + first;
    const float *dark = s.dark + first, *relative = s.relative + first;
    int c = 0;
    for (; c + PART <= s.columns; c += PART)
        store_part(to + c, brightest_if_none((load_counts(from + c) - load_part(dark + c)) * load_part(relative + c)));
    for (; c < s.columns; ++c) to[c] = frame.value(y, c);
    to[-1] = to[0];
    to[s.columns] = to[s.columns - 1];
}

static inline std::ptrdiff_t spikes_stride(const Spikes& s) { return s.columns / LANES * LANES + 3 * LANES; }
static std::ptrdiff_t spikes_scratch_lines(const Spikes& s) { return 6 * spikes_stride(s) / LANES; }

template <class Count> static std::int64_t mend_frame(const Spikes& s, std::ptrdiff_t number, float* scratch) {
    const std::ptrdiff_t stride = spikes_stride(s), pixels = std::ptrdiff_t(s.rows) * s.columns;
    const Count* frames = static_cast<const Count*>(s.frames);
    const auto found = [&](std::int32_t n) -> const Count* {
        if (n < 0) return nullptr;
        return n < s.angles ? frames + n * pixels : static_cast<const Count*>(s.more) + (n - s.angles) * pixels;
    };
    const std::int32_t* beside = s.beside + 2 * number;
    const Frame<Count> frame{s, frames + number * pixels, {found(beside[0]), found(beside[1])}};
    Count* out = static_cast<Count*>(s.out) + number * pixels;
    __builtin_memcpy(out, frame.pixels, std::size_t(pixels) * sizeof(Count));
    float *row[3], *sorted[3]; // three rows of pixels, and the columns of three in order
    for (int j = 0; j < 3; ++j) {
        row[j] = scratch + j * stride + LANES;
        sorted[j] = scratch + (3 + j) * stride + LANES;
    }
    widen(frame, 0, row[1]);
    widen(frame, 0, row[2]);
    std::int64_t count = 0;
    for (int y = 0; y < s.rows; ++y) {
        float* oldest = row[0];
        row[0] = row[1];
        row[1] = row[2];
        row[2] = oldest;
        widen(frame, smaller(y + 1, s.rows - 1), row[2]);
        for (int c = -LANES; c < s.columns + LANES; c += PART) { // from a line before the first pixel on
            Part a = load_part(row[0] + c), b = load_part(row[1] + c), d = load_part(row[2] + c);
            order(a, b);
            order(b, d);
            order(a, b);
            store_part(sorted[0] + c, a);
            store_part(sorted[1] + c, b);
            store_part(sorted[2] + c, d);
        }
        for (int c = 0; c < s.columns; c += PART) {
            const float *low = sorted[0] + c, *middle = sorted[1] + c, *high = sorted[2] + c;
            const Part m = middle_of(larger(larger(load_part(low - 1), load_part(low)), load_part(low + 1)),
                                     middle_of(load_part(middle - 1), load_part(middle), load_part(middle + 1)),
                                     smaller(smaller(load_part(high - 1), load_part(high)), load_part(high + 1)));
            const WholePart far = load_part(row[1] + c) - m > s.least;
            if (all(~far)) continue;
            for (int j = 0; j < smaller(PART, s.columns - c); ++j)
                if (far[j] && frame.stands_out(y, c + j, m[j], s.threshold) && frame.is_new(y, c + j)) {
                    const auto parts = frame.parts(y, c + j, m[j]);
                    if (parts.count) count += frame.mend(parts, out);
                }
        }
    }
    return count;
}

static void mend_spikes(const Spikes& s) {
#pragma omp parallel for schedule(dynamic) num_threads(s.threads)
    for (std::ptrdiff_t k = 0; k < s.angles; ++k) {
        float* scratch = s.scratch + thread_index() * s.scratch_lines * LANES;
        s.replaced[k] = s.is_float ? mend_frame<float>(s, k, scratch) : mend_frame<std::uint16_t>(s, k, scratch);
    }
}

} // namespace tomarium::TOMARIUM_LEVEL
