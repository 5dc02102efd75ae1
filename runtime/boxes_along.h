// How the outputs of an axis are cut into boxes (walk.h), counted without a walk: for estimates.
#pragma once

#include "call.h"

namespace upconv::UPCONV_ABI::internal {

/// The segments of all phases of an axis: one of the outputs that reach all taps of a phase, and
/// those at the ends of x, where taps change from output to output.
struct BoxesAlong {
  struct Kind {
    double outputs = 0;
    double pairs = 0;  ///< of an input and a tap
    Index extent = 1;  ///< outputs of a segment
  };
  Kind inner, edge;
  double reached = 0;  ///< segments that some tap reaches; as one those that slide
  double gaps = 0;     ///< the others

  /// @param slide segments may slide (walk.h, for_each_slide)
  BoxesAlong(const CallAxis& axis, bool slide);
};

}  // namespace upconv::UPCONV_ABI::internal
