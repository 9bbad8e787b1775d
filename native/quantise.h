// SPDX-License-Identifier: BSD-3-Clause
// Values of a range spread over the whole numbers of 8 or 16 bits, in one pass over memory.
#pragma once
#include "lanes.h"

namespace tomarium::TOMARIUM_LEVEL {

constexpr std::ptrdiff_t QUANTISED_AT_ONCE = 1024;   // values whose numbers lie in the first-level cache
constexpr std::ptrdiff_t QUANTISED_A_TURN = 1 << 16; // values of one thread's turn

// Values below and above the limits, and those that are not finite.
struct Beyond {
    std::int64_t below = 0, above = 0, not_finite = 0;
};

template <class Value>
static inline void count_beyond(const Quantising& q, const Value* values, std::ptrdiff_t count, Beyond& beyond) {
    std::int32_t below = 0, above = 0, finite = 0; // of at most QUANTISED_A_TURN values
    for (std::ptrdiff_t k = 0; k < count; ++k) {
        const double x = values[k];
        below += x < q.low;
        above += x > q.high;
        finite += values[k] - values[k] == 0; // infinity and NaN give NaN
    }
    beyond.below += below;
    beyond.above += above;
    beyond.not_finite += count - finite;
}

// In double precision, step by step as the NumPy form has it, so that both give the same bits. NaN is not above 0.
template <class Value, class Number>
static inline void quantise_some(const Quantising& q, const Value* values, std::ptrdiff_t count, Number* out) {
    for (std::ptrdiff_t k = 0; k < count; ++k) {
        double x = (double(values[k]) - q.low) * q.scale;
        x = x > 0.0 ? x : 0.0;
        x = x < q.most ? x : q.most;
        out[k] = Number(std::int32_t(x + 0.5)); // cut to a whole number, which is not negative
    }
}

// Numbers are made in a small buffer and leave it in whole lines, past the caches.
template <class Value, class Number>
static void quantise_past(const Quantising& q, std::ptrdiff_t first, std::ptrdiff_t last, Beyond& beyond) {
    const Value* values = static_cast<const Value*>(q.values);
    Number* out = static_cast<Number*>(q.out);
    alignas(64) Number numbers[QUANTISED_AT_ONCE];
    const std::ptrdiff_t line = 64 / sizeof(Number);
    for (; first < last; first += QUANTISED_AT_ONCE) {
        const std::ptrdiff_t count = smaller(QUANTISED_AT_ONCE, last - first);
        if (q.counts) count_beyond(q, values + first, count, beyond);
        if (count < QUANTISED_AT_ONCE) return quantise_some(q, values + first, count, out + first);
        quantise_some(q, values + first, QUANTISED_AT_ONCE, numbers);
        for (std::ptrdiff_t k = 0; k < QUANTISED_AT_ONCE; k += line)
            store_past(reinterpret_cast<float*>(out + first + k), *reinterpret_cast<const Line*>(numbers + k), true);
    }
}

template <class Value, class Number> static void quantise_all(const Quantising& q) {
    const Value* values = static_cast<const Value*>(q.values);
    Number* out = static_cast<Number*>(q.out);
    // The first few go ahead, so that all others begin at a line of memory.
    const std::ptrdiff_t beyond = std::ptrdiff_t(reinterpret_cast<std::uintptr_t>(out) % 64 / sizeof(Number));
    const std::ptrdiff_t head = beyond ? smaller(std::ptrdiff_t(64 / sizeof(Number)) - beyond, q.count) : 0;
    quantise_some(q, values, head, out);
    Beyond of_head;
    if (q.counts) count_beyond(q, values, head, of_head);
    std::int64_t below = of_head.below, above = of_head.above, not_finite = of_head.not_finite;
    const std::ptrdiff_t turns = (q.count - head + QUANTISED_A_TURN - 1) / QUANTISED_A_TURN;
#pragma omp parallel for schedule(static) num_threads(q.threads) reduction(+ : below, above, not_finite)
    for (std::ptrdiff_t turn = 0; turn < turns; ++turn) {
        const std::ptrdiff_t first = head + turn * QUANTISED_A_TURN, last = smaller(first + QUANTISED_A_TURN, q.count);
        Beyond beyond;
        if (q.past)
            quantise_past<Value, Number>(q, first, last, beyond);
        else {
            quantise_some(q, values + first, last - first, out + first);
            if (q.counts) count_beyond(q, values + first, last - first, beyond);
        }
        finish_stores();
        below += beyond.below;
        above += beyond.above;
        not_finite += beyond.not_finite;
    }
    if (q.counts) {
        q.counts[0] += below;
        q.counts[1] += above;
        q.counts[2] += not_finite;
    }
}

static void quantise(const Quantising& q) {
    if (q.is_double)
        q.bytes == 1 ? quantise_all<double, std::uint8_t>(q) : quantise_all<double, std::uint16_t>(q);
    else
        q.bytes == 1 ? quantise_all<float, std::uint8_t>(q) : quantise_all<float, std::uint16_t>(q);
}

} // namespace tomarium::TOMARIUM_LEVEL
