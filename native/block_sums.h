// SPDX-License-Identifier: BSD-3-Clause
// Means of sixteen columns in blocks of neighbouring angles, the first blocks an angle longer where they are not equal.
#pragma once
#include "statistics.h"

namespace tomarium::TOMARIUM_LEVEL {

class BlockSums {
  public:
    // Of columns `first` ... `first` + `width` - 1; means, (block, column), may be null where there are no blocks.
    BlockSums(double* means, int blocks, int angles, int columns, int first, int width)
        : to_(means ? means + first : means), blocks_(blocks), angles_(angles), columns_(columns), width_(width),
          stop_(blocks ? (angles + blocks - 1) / blocks : 0) {}

    void add(int angle, const Line& line) { // angle after angle
        if (!blocks_) return;
        const HalfFloats* halves = reinterpret_cast<const HalfFloats*>(&line);
        for (int h = 0; h < HALVES; ++h) sum_[h] += __builtin_convertvector(halves[h], HalfDoubles);
        if (angle + 1 < stop_) return;
        for (int l = 0; l < width_; ++l) to_[l] = sum_[l / HALF][l % HALF] / (stop_ - start_);
        for (int h = 0; h < HALVES; ++h) sum_[h] = HalfDoubles{};
        to_ += columns_;
        ++number_;
        start_ = stop_;
        stop_ += angles_ / blocks_ + (number_ < angles_ % blocks_);
    }

  private:
    HalfDoubles sum_[HALVES] = {};
    double* to_;
    int blocks_, angles_, columns_, width_, number_ = 0, start_ = 0, stop_;
};

} // namespace tomarium::TOMARIUM_LEVEL
