// A hint to bring a cache line nearer, inside an algorithm: Halide's own `prefetch` directive takes
// the lines of a whole region, some iterations ahead; here one line is chosen by an expression.
#pragma once

#include "Halide.h"

namespace upconv::generators {

/// Element 0 of an input buffer, which is a Func.
inline Halide::Expr start_of_input(const Halide::Func& buffer) {
  using Halide::Internal::Call;
  const auto& input = buffer.value().as<Call>()->param;
  return Halide::Internal::Variable::make(Halide::type_of<void*>(), input.name(), input);
}

/// Element 0 of the buffer that an output is written to.
inline Halide::Expr start_of_output(const Halide::Func& output) {
  const auto parameter = output.output_buffer().parameter();
  return Halide::Internal::Variable::make(Halide::type_of<void*>(), parameter.name(), parameter);
}

/// `value`, beside which the line of element `at` of a buffer is prefetched. No address faults, so
/// `at` may be anywhere.
/// @param base its element 0
inline Halide::Expr prefetching(const Halide::Expr& base, const Halide::Expr& at,
                                const Halide::Expr& value) {
  using Halide::Internal::Call;
  // One line: extent and stride 1.
  const Halide::Expr hint =
      Call::make(Halide::Int(32), Call::prefetch, {base, at, 1, 1}, Call::Intrinsic);
  return Call::make(value.type(), Call::return_second, {hint, value}, Call::PureIntrinsic);
}

/// The *panel* of a block of channels are its weights, in *rows* of a (tap, ci) each. The first
/// tile that reads a panel waits for a farther cache, the others do not; so the first tiles ask for
/// the panel that comes next. Where tiles are few, they ask for a line at every row, where there
/// are fewer than a row has lines, for kFewestLines; else at every kPeriod-th row, so that lines
/// come evenly, beside those of x.
struct PanelHints {
  static constexpr int kLineBytes = 64;
  /// The step of the innermost loop (Tile::unroll) of kernels with hints, so that no test is left
  /// in it.
  static constexpr int kPeriod = 4;
  /// One more costs dcgan_4 (2 tiles) 7% and gains dcgan_wide_4 (1 or 2) 3%.
  static constexpr int kFewestLines = 2;

  Halide::Expr tile;   ///< which of those that read the panel
  Halide::Expr tiles;  ///< how many they are
  Halide::Expr rows;   ///< of a panel
  Halide::Expr row;    ///< that is read
  Halide::Expr ci;     ///< the innermost loop's part of it
  int lines = 1;       ///< of a row

  static int lines_of(int block_channels, const Halide::Type& type) {
    const int line = kLineBytes / type.bytes();
    return (block_channels + line - 1) / line;
  }
  Halide::Expr few_tiles() const { return tiles < 2 * kPeriod * lines; }
  Halide::Expr fewest_tiles() const { return tiles < lines; }

  /// The line of the next panel that is asked for.
  Halide::Expr line() const {
    const Halide::Expr every_row = Halide::min(tile, lines - 1) * rows + row;
    const Halide::Expr some_rows =
        Halide::min(tile, kPeriod * lines - 1) * (rows / kPeriod) + row / kPeriod;
    return select(few_tiles(), every_row, some_rows);
  }

  /// `x`, beside which a line is asked for.
  /// @param once true once per step of a tile
  /// @param panel the first element of the next panel in `weights`
  Halide::Expr beside(const Halide::Expr& x, const Halide::Expr& once, const Halide::Func& weights,
                      const Halide::Expr& panel) const {
    const Halide::Expr base = start_of_input(weights);
    const auto ask = [&](const Halide::Expr& of, const Halide::Expr& value) {
      return prefetching(base, panel + of * (kLineBytes / x.type().bytes()), value);
    };
    Halide::Expr hinted = select(once && (few_tiles() || ci % kPeriod == 0), ask(line(), x), x);
    if (lines == 1) return hinted;
    Halide::Expr several = x;
    for (int n = 0; n < kFewestLines; ++n) {
      const Halide::Expr of_row = Halide::min(kFewestLines * tile + n, lines - 1);
      several = ask(of_row * rows + row, several);
    }
    return select(once && fewest_tiles(), several, hinted);
  }
};

/// A tile whose outputs take one tap asks for the next tile's inputs, which mostly follow its own,
/// and for the outputs that it will write: with every kPeriod-th row of weights for the inputs of
/// so many, and for a line of outputs.
struct TileHints {
  static constexpr int kPeriod = PanelHints::kPeriod;

  Halide::Expr row;        ///< of weights, that is read
  int pixels = 1;          ///< of a tile
  Halide::Expr x, y;       ///< element 0 of either
  Halide::Expr next_x;     ///< the next tile's first element
  Halide::Type type = {};  ///< of both

  int line_elements() const { return PanelHints::kLineBytes / type.bytes(); }
  /// The tile's line of outputs that is asked for; where loops are long, there are not so many.
  Halide::Expr line() const { return row / kPeriod; }

  /// `value`, beside which they are asked for.
  /// @param once true once per row of a tile
  /// @param y_at the first element of line()
  Halide::Expr beside(const Halide::Expr& value, const Halide::Expr& once,
                      const Halide::Expr& y_at) const {
    Halide::Expr hinted = value;
    for (int at = 0; at < kPeriod * pixels; at += line_elements()) {
      hinted = prefetching(x, next_x + row * pixels + at, hinted);
    }
    hinted = prefetching(y, y_at, hinted);
    return select(once && row % kPeriod == 0, hinted, value);
  }
};

}  // namespace upconv::generators
