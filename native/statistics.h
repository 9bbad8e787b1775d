// SPDX-License-Identifier: BSD-3-Clause
// Moments and histogram of part of an image; every row has a first and a last column (a disc, say).
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <limits>

namespace tomarium {

struct Moments {
    std::int64_t count = 0, not_finite = 0;
    float minimum = std::numeric_limits<float>::infinity(), maximum = -minimum;
    double sum = 0, sum_squares = 0;
};

inline Moments moments(const float* image, std::ptrdiff_t rows, std::ptrdiff_t columns, const std::int32_t* first,
                       const std::int32_t* last) {
    Moments m;
    for (std::ptrdiff_t row = 0; row < rows; ++row) {
        const float* line = image + row * columns;
        double sum = 0, squares = 0;
        float low = m.minimum, high = m.maximum;
        std::int64_t finite = 0;
        for (std::int32_t k = first[row]; k < last[row]; ++k) {
            const bool good = std::fabs(line[k]) <= std::numeric_limits<float>::max(); // false for NaN and infinity
            const float value = good ? line[k] : 0.0f;
            finite += good;
            low = good && value < low ? value : low;
            high = good && value > high ? value : high;
            sum += value;
            squares += double(value) * value;
        }
        m.minimum = low;
        m.maximum = high;
        m.sum += sum;
        m.sum_squares += squares;
        m.count += finite;
        if (last[row] > first[row]) m.not_finite += last[row] - first[row] - finite;
    }
    return m;
}

// Bin i holds the finite values with floor(value * scale) = origin + i; the caller's range must cover them.
inline void histogram(const float* image, std::ptrdiff_t rows, std::ptrdiff_t columns, const std::int32_t* first,
                      const std::int32_t* last, double scale, std::int64_t origin, std::int64_t bins,
                      std::int64_t* counts) {
    for (std::ptrdiff_t row = 0; row < rows; ++row) {
        const float* line = image + row * columns;
        for (std::int32_t k = first[row]; k < last[row]; ++k) {
            if (!(std::fabs(line[k]) <= std::numeric_limits<float>::max())) continue;
            const std::int64_t bin = std::int64_t(std::floor(double(line[k]) * scale)) - origin;
            if (0 <= bin && bin < bins) ++counts[bin];
        }
    }
}

} // namespace tomarium
