// SPDX-License-Identifier: BSD-3-Clause
#include "fft_plan.h"
#include <cmath>
#include <stdexcept>

namespace tomarium {

FftTables::FftTables(int length, int largest_radix) : plan{length, 0, {}, {}} {
    const double pi = std::acos(-1.0);
    int n = length;
    while (n > 1) {
        int p = 0;
        for (int candidate : {8, 4, 2, 3, 5})
            if (candidate <= (candidate % 2 ? 5 : largest_radix) && n % candidate == 0) {
                p = candidate;
                break;
            }
        if (p == 0) throw std::invalid_argument("the length of a transform must be a product of 2, 3 and 5");
        std::vector<float> table;
        for (int q = 0; q < n / p; ++q)
            for (int j = 1; j < p; ++j) {
                const double angle = 2 * pi * q * j / n;
                const float re = float(std::cos(angle)), im = float(std::sin(angle));
                for (const float number : {re, re, -im, im}) table.push_back(number);
            }
        twiddles.push_back(std::move(table));
        plan.radix[plan.passes++] = p;
        n /= p;
    }
    for (int k = 0; k < plan.passes; ++k) plan.twiddle[k] = twiddles[k].data();
}

} // namespace tomarium
