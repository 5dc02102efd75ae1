// Runs strips of a call of the narrow strategy.
#pragma once

#include <cstddef>
#include <span>

#include "call.h"
#include "narrow_packing.h"
#include "narrow_strip.h"

namespace upconv::UPCONV_ABI::internal {

/// Bytes of scratch that one thread needs, whatever the extents.
std::size_t narrow_scratch_bytes(const NarrowLayout& layout);

/// Everything that is the same for all strips of a call. Refers to its arguments.
class NarrowRunner {
 public:
  NarrowRunner(const NarrowLayout& layout, const Tensor& weights, const Tensor* bias,
               const Call& call, int threads);

  Index strips() const;
  /// @param last_index the strip that was run last with this scratch; -1: none. (Of x that both
  /// read, the copy is kept.)
  void run_strip(Index index, Index last_index, std::span<std::byte> scratch) const;

 private:
  struct Strip;
  struct OutputRow;
  struct Ahead;
  Ahead ahead_of(const Strip& strip) const;
  Strip strip_at(Index index) const;
  template <Element T>
  void run(const Strip& strip, bool follows, std::byte* scratch) const;
  template <Element T>
  /// @param follows the planes still hold the strip before this one
  void copy_x(const Strip& strip, bool follows, T* planar) const;
  template <Element T>
  void compute(const NarrowSet& set, Index columns, const T* planar, T* sums, Ahead& ahead) const;
  template <Element T>
  void write(const NarrowSet& set, const Strip& strip, Index q_d, const T* sums) const;
  template <Element T>
  void write_row(const NarrowSet& set, const Strip& strip, const OutputRow& row,
                 const T* sums) const;
  void finish(const Strip& strip, Index q_d) const;
  /// Calls visit(row) for each row of y, along w, that residues pair = r_d * s_h + r_h with
  /// pair_begin <= pair < pair_end have at a position along d of a strip.
  template <typename Visit>
  void for_each_row(const Strip& strip, Index q_d, Index pair_begin, Index pair_end,
                    Visit visit) const;

  const NarrowLayout& layout_;
  const Tensor& weights_;
  const Tensor* bias_;
  const Call& call_;
  Index size_;
  StripShape shape_;
  Index q_begin_[3], strips_[3];
  const EpilogueKernel* epilogue_ = nullptr;  ///< null: y is linear
};

}  // namespace upconv::UPCONV_ABI::internal
