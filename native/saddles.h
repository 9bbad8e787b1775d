// SPDX-License-Identifier: BSD-3-Clause
// Between which basins of a distance map the saddles are, how high, and which basins become one.
#pragma once
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

namespace tomarium {

// The highest saddle of each pair of numbers: a table with room for twice as many as there are.
class Saddles {
  public:
    Saddles() : places_(1 << 12, EMPTY) {}

    void add(std::int32_t a, std::int32_t b, float height) {
        if (a > b) {
            const std::int32_t other = a;
            a = b;
            b = other;
        }
        const std::uint64_t pair = std::uint64_t(std::uint32_t(a)) << 32 | std::uint32_t(b);
        if (!pairs_.empty() && pairs_[last_] == pair) { // neighbours are of one pair most often
            if (heights_[last_] < height) heights_[last_] = height;
            return;
        }
        std::size_t at = place_of(pair);
        if (places_[at] == EMPTY) {
            if (2 * pairs_.size() >= places_.size()) {
                grow();
                at = place_of(pair);
            }
            places_[at] = std::int64_t(pairs_.size());
            pairs_.push_back(pair);
            heights_.push_back(height);
        } else if (heights_[std::size_t(places_[at])] < height)
            heights_[std::size_t(places_[at])] = height;
        last_ = std::size_t(places_[at]);
    }

    std::size_t size() const { return pairs_.size(); }
    std::int32_t lower(std::size_t k) const { return std::int32_t(pairs_[k] >> 32); }
    std::int32_t upper(std::size_t k) const { return std::int32_t(pairs_[k] & 0xffffffffu); }
    float height(std::size_t k) const { return heights_[k]; }

  private:
    static constexpr std::int64_t EMPTY = -1;

    std::size_t place_of(std::uint64_t pair) const {
        std::uint64_t mixed = pair * 0x9e3779b97f4a7c15u; // Fibonacci hashing, Knuth vol. 3, section 6.4
        mixed ^= mixed >> 29;
        std::size_t at = std::size_t(mixed) & (places_.size() - 1);
        while (places_[at] != EMPTY && pairs_[std::size_t(places_[at])] != pair) at = (at + 1) & (places_.size() - 1);
        return at;
    }

    void grow() {
        places_.assign(2 * places_.size(), EMPTY);
        for (std::size_t k = 0; k < pairs_.size(); ++k) places_[place_of(pairs_[k])] = std::int64_t(k);
    }

    std::vector<std::int64_t> places_;
    std::vector<std::uint64_t> pairs_;
    std::vector<float> heights_;
    std::size_t last_ = 0;
};

// Of all pairs of voxels that touch, in one slice or two, and have different numbers.
static void find_saddles(const float* squares, const std::int32_t* labels, std::ptrdiff_t depth, std::ptrdiff_t rows,
                         std::ptrdiff_t columns, Saddles& found) {
    const std::ptrdiff_t plane = rows * columns;
    std::ptrdiff_t at = 0;
    for (std::ptrdiff_t z = 0; z < depth; ++z)
        for (std::ptrdiff_t y = 0; y < rows; ++y) {
            std::ptrdiff_t beside[13];
            int kinds[13], count = 0;
            for (int step = 0; step < 13; ++step) { // neighbours that come before
                const int dz = step / 9 - 1, dy = step / 3 % 3 - 1, dx = step % 3 - 1;
                if (z + dz < 0 || y + dy < 0 || y + dy >= rows) continue;
                beside[count] = dz * plane + dy * columns + dx;
                kinds[count++] = dx;
            }
            for (std::ptrdiff_t x = 0; x < columns; ++x, ++at) {
                const std::int32_t mine = labels[at];
                if (mine == 0) continue;
                for (int k = 0; k < count; ++k) {
                    if ((x == 0 && kinds[k] < 0) || (x + 1 == columns && kinds[k] > 0)) continue;
                    const std::int32_t other = labels[at + beside[k]];
                    if (other == 0 || other == mine) continue;
                    const float there = squares[at + beside[k]];
                    found.add(mine, other, there < squares[at] ? there : squares[at]);
                }
            }
        }
}

// Basins 0 .. count - 1 that meet, the highest saddles first, become one where the lower of their peaks rises by less
// than `least` above the saddle. `roots` tells then of each the lowest number that it is one with.
static void merge_basins(const float* peaks, std::size_t count, const std::int32_t* lower, const std::int32_t* upper,
                         const float* heights, std::size_t saddles, double least, std::int32_t* roots) {
    std::vector<float> peak(peaks, peaks + count);
    for (std::size_t k = 0; k < count; ++k) roots[k] = std::int32_t(k);
    const auto root = [&](std::int32_t at) {
        while (roots[at] != at) {
            roots[at] = roots[roots[at]];
            at = roots[at];
        }
        return at;
    };
    for (std::size_t k = 0; k < saddles; ++k) {
        const std::int32_t a = root(lower[k]), b = root(upper[k]);
        if (a == b) continue;
        const float less = peak[a] < peak[b] ? peak[a] : peak[b], more = peak[a] < peak[b] ? peak[b] : peak[a];
        if (!(std::sqrt(double(less)) - std::sqrt(double(heights[k])) < least)) continue;
        const std::int32_t first = a < b ? a : b;
        roots[a < b ? b : a] = first;
        peak[first] = more;
    }
    for (std::size_t k = 0; k < count; ++k) roots[k] = roots[roots[k]]; // lower numbers are done before
}

} // namespace tomarium
