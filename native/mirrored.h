// SPDX-License-Identifier: BSD-3-Clause
// Which column stands at a place beyond the ends of a row.
#pragma once

namespace tomarium::TOMARIUM_LEVEL {

static inline int mirrored(int column, int columns) { // d c b a | a b c d | d c b a
    const int period = 2 * columns;
    column %= period;
    if (column < 0) column += period;
    return column < columns ? column : period - 1 - column;
}

} // namespace tomarium::TOMARIUM_LEVEL
