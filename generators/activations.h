// The activations as pure functions Expr -> Expr, for float32 and float64 alike.
//
// These are the mathematics only: no Func, no schedule. activate() closes the result with
// strict_float, so that every operation is one IEEE operation in the order written here: nothing is
// reassociated, contracted to a fused multiply-add or assumed to be finite. That buys four things:
//   - splitting an argument into a high and a low part (Cody-Waite, Dekker) means what it says;
//   - NaN and infinities are handled by the comparisons that are written;
//   - every lane gives the same bits, in whole vectors and in tails;
//   - all instruction sets give the same bits, so that what is proved on one holds on all.
// It costs the fused multiply-adds, in a pass that runs once per output element. There is no call
// to a mathematical library, no table and no branch; a float becomes an integer by its bits only,
// which NaN has too.
//
// Polynomials: minimax by activations_fit.py, which prints the arrays below.
// Errors, found by sweeping, are in include/upconv/activation.h.
#pragma once

#include <cstdint>
#include <initializer_list>
#include <map>
#include <string>

#include "Halide.h"

namespace upconv::activations {

using Halide::Expr;
using Halide::reinterpret;
using Halide::select;
using Halide::Type;

/// What an epilogue kernel can compute. kClamp is linear, relu, relu6 and clamp.
enum class Kind {
  kClamp,
  kLeakyRelu,
  kElu,
  kSelu,
  kGelu,
  kGeluTanh,
  kSigmoid,
  kTanh,
  kSoftplus,
  kSilu,
  kHardSwish,
};

/// The names of the generator parameter `activation`.
inline const std::map<std::string, Kind>& kinds() {
  static const std::map<std::string, Kind> names = {
      {"clamp", Kind::kClamp},
      {"leaky_relu", Kind::kLeakyRelu},
      {"elu", Kind::kElu},
      {"selu", Kind::kSelu},
      {"gelu", Kind::kGelu},
      {"gelu_tanh", Kind::kGeluTanh},
      {"sigmoid", Kind::kSigmoid},
      {"tanh", Kind::kTanh},
      {"softplus", Kind::kSoftplus},
      {"silu", Kind::kSilu},
      {"hard_swish", Kind::kHardSwish},
  };
  return names;
}

// ---------------------------------------------------------------------------------------------
// Numbers.

/// A constant of x's type; where the two types need different values, one for each.
inline Expr number(const Expr& x, double float32, double float64) {
  return Halide::Internal::make_const(x.type(), x.type().bits() == 32 ? float32 : float64);
}
inline Expr number(const Expr& x, double value) { return number(x, value, value); }

/// The bits of x as an unsigned integer, a constant of that integer type, and the way back.
inline Expr bits(const Expr& x) { return reinterpret(x.type().with_code(Type::UInt), x); }
inline Expr bit_pattern(const Expr& x, uint64_t float32, uint64_t float64) {
  const Type type = x.type().with_code(Type::UInt);
  return Halide::Internal::make_const(type, x.type().bits() == 32 ? float32 : float64);
}
inline Expr from_bits(const Expr& x, const Expr& pattern) { return reinterpret(x.type(), pattern); }

inline Expr sign_bit(const Expr& x) { return bit_pattern(x, uint64_t{1} << 31, uint64_t{1} << 63); }
inline Expr magnitude(const Expr& x) { return from_bits(x, bits(x) & ~sign_bit(x)); }
inline Expr with_sign_of(const Expr& x, const Expr& value) {
  return from_bits(x, (bits(value) & ~sign_bit(x)) | (bits(x) & sign_bit(x)));
}
/// The larger and the smaller of x and a bound. A NaN in x comes through.
/// (Never by >= or <=: Halide 21 compiles those, on x86 vectors, to a < that NaN makes true.)
inline Expr at_least(const Expr& bound, const Expr& x) { return select(x < bound, bound, x); }
inline Expr at_most(const Expr& bound, const Expr& x) { return select(x > bound, bound, x); }

/// The unevaluated sum of two numbers, which has more digits than their type; without a low part
/// where the high one is exact.
struct Sum {
  Expr high, low = {};
};

/// a + b, for low parts.
inline Expr add(const Expr& a, const Expr& b) {
  return !a.defined() ? b : !b.defined() ? a : a + b;
}

/// x = high + low exactly. `high` has half of the digits, so that a product of two such is exact.
inline Sum split(const Expr& x) {
  const Expr high = from_bits(x, bits(x) & bit_pattern(x, 0xfffff000, 0xfffffffff8000000));
  return {high, x - high};
}

/// x y; the high part is exact.
inline Sum product(const Sum& x, const Sum& y) {
  const Sum a = split(x.high), b = split(y.high);
  const Expr a_low = add(a.low, x.low), b_low = add(b.low, y.low);
  return {a.high * b.high, a.high * b_low + a_low * (b.high + b_low)};
}

/// x^2; the high part is exact.
inline Sum square(const Expr& x) {
  const Sum a = split(x);
  return {a.high * a.high, a.low * (x + a.high)};
}

/// c + x for x >= 0 and a positive constant c that has half of the digits.
inline Sum exact_sum(const Expr& c, const Sum& x) {
  const Expr high = c + x.high;
  return {high, add(x.high - (high - c), x.low)};
}

/// 1 / (c + x) for x >= 0 and a positive constant c: two steps of Newton's from an estimate that is
/// rounded to half of the digits, which makes the products exact.
inline Sum reciprocal_of_sum(const Expr& c, const Expr& x) {
  const Expr rounded = c + x;
  const Expr high = split(rounded).high;
  const Expr low = x - (high - c);
  const Expr estimate = split(1 / rounded).high;
  const Expr rest = (1 - estimate * high) - estimate * low;
  return {estimate, estimate * (rest + rest * rest)};
}

/// c[0] + c[1] x + c[2] x^2 ...
struct Coefficients {
  std::initializer_list<double> float32, float64;
};

/// The first `leading` terms are added last, by Horner's rule, which is the most accurate. The even
/// and odd ones of the rest are summed apart, in x^2: two chains of half the length.
inline Expr polynomial(const Expr& x, const Coefficients& coefficients, int leading = 0) {
  const auto& c = x.type().bits() == 32 ? coefficients.float32 : coefficients.float64;
  const int count = static_cast<int>(c.size());
  const auto term = [&](int i) { return number(x, c.begin()[i]); };
  const Expr square = x * x;
  Expr first = term(count - 1), second = term(count - 2);
  for (int i = count - 3; i >= leading; --i) {
    const Expr next = first * square + term(i);
    first = second;
    second = next;
  }
  // second holds the power of `leading`, first that of leading + 1.
  Expr result = second + x * first;
  for (int i = leading - 1; i >= 0; --i) result = result * x + term(i);
  return result;
}

// ---------------------------------------------------------------------------------------------
// exp, in the two forms that keep its accuracy: scaled, and less one.

/// exp(x) = 2^n (1 + q) with |q| < 0.5, and with small relative error in q.
struct Exponential {
  Expr shifted_n;  // its low bits are those of the integer n
  Expr q;

  /// 2^(n + offset), which must be a normal number.
  Expr power_of_two(int offset) const {
    const Expr bias = bit_pattern(q, uint64_t(127 + offset) << 23, uint64_t(1023 + offset) << 52);
    return from_bits(q, (bits(shifted_n) << (q.type().bits() == 32 ? 23 : 52)) + bias);
  }
};

/// Of x.high + x.low, where |x.low| < 0.06 (float32), 0.001 (float64).
inline Exponential exponential(const Sum& x) {
  const Expr& high = x.high;
  // Adding and subtracting 1.5 * 2^23 (2^52) rounds to an integer.
  const Expr shift = number(high, 0x1.8p23, 0x1.8p52);
  const Expr shifted_n = high * number(high, 0x1.71547652b82fep+0) + shift;  // high / log(2)
  const Expr n = shifted_n - shift;
  // log(2) in two parts, the first short enough for n times it, and the difference, to be exact.
  const Expr log2_high = number(high, 0x1.62e4p-1, 0x1.62e42feep-1);
  const Expr log2_low = number(high, 0x1.7f7d1cf79abcap-20, 0x1.a39ef35793c76p-33);
  const Expr r = (high - n * log2_high) - (x.low.defined() ? n * log2_low - x.low : n * log2_low);
  // exp(r) - 1 = r + r^2 P(r) for |r| <= log(2) / 2 and x.low's reach; error 2^-29.5, 2^-61.5.
  const Expr p = polynomial(
      r, {.float32 = {0x1.0000000000000p-1, 0x1.5555560000000p-3, 0x1.5554960000000p-5,
                      0x1.110ff40000000p-7, 0x1.6db4580000000p-10, 0x1.a25d7a0000000p-13},
          .float64 = {0x1.0000000000000p-1, 0x1.5555555555559p-3, 0x1.5555555555558p-5,
                      0x1.111111110f62bp-7, 0x1.6c16c16c14f32p-10, 0x1.a01a01b0207bfp-13,
                      0x1.a01a01adf3df6p-16, 0x1.71ddf7acfef5ap-19, 0x1.27e4cabb4cf0bp-22,
                      0x1.af5ffd952c8a8p-26, 0x1.1f8e5c6712f9cp-29}});
  return {shifted_n, r + (r * r) * p};
}

/// Results down to the least subnormal are computed multiplied by 2^64 (2^512), where they keep all
/// their digits, and multiplied by `unscale` last: one rounding, into the subnormals if need be.
inline Expr unscale(const Expr& x) { return number(x, 0x1p-64, 0x1p-512); }

/// factor exp(x) / unscale(x) for 0 >= x >= -exp_limit.
inline Expr scaled_exp(const Sum& x, const Expr& factor) {
  const Exponential e = exponential(x);
  return (factor + factor * e.q) * e.power_of_two(x.high.type().bits() == 32 ? 64 : 512);
}
inline Expr scaled_exp(const Sum& x) { return scaled_exp(x, number(x.high, 1)); }

/// For x below minus this, exp(x) times anything that it is multiplied by here is less than half
/// the least subnormal number.
inline Expr exp_limit(const Expr& x) { return number(x, 112, 760); }

/// exp(x) - 1 for x <= 0, with small relative error everywhere: 2^n - 1 is exact where it matters.
inline Expr expm1_of_nonpositive(const Expr& x) {
  const Expr bounded = at_least(number(x, -30, -50), x);  // the result is -1 there
  const Exponential e = exponential({bounded});
  const Expr power = e.power_of_two(0);
  return (power - 1) + power * e.q;
}

// ---------------------------------------------------------------------------------------------
// The activations.

/// min(max(v, low), high); the bounds may be infinite.
inline Expr clamp(const Expr& v, const Expr& low, const Expr& high) {
  return at_most(high, at_least(low, v));
}

inline Expr leaky_relu(const Expr& v, const Expr& alpha) { return select(v > 0, v, alpha * v); }

inline Expr elu(const Expr& v) { return select(v > 0, v, expm1_of_nonpositive(v)); }

inline Expr selu(const Expr& v) {
  const double scale = 1.0507009873554805, alpha = 1.6732632423543772;
  return select(v > 0, number(v, scale) * v, number(v, scale * alpha) * expm1_of_nonpositive(v));
}

/// v sigmoid(u), where u is negative if `negative` says so, from `minus_u` = -|u|.
///
/// With t = exp(-|u|), sigmoid(u) is 1 / (1 + t), or t / (1 + t) for negative u.
inline Expr times_sigmoid(const Expr& v, const Expr& negative, const Sum& minus_u) {
  const Expr t = scaled_exp(minus_u);
  return select(negative, v * t, v) / (1 + t * unscale(v)) *
         select(negative, unscale(v), number(v, 1));
}

/// -|v|, but no less than -limit.
inline Expr minus_magnitude(const Expr& v, const Expr& limit) {
  return at_least(-limit, from_bits(v, bits(v) | sign_bit(v)));
}

inline Expr sigmoid(const Expr& v) {
  const Expr minus_v = minus_magnitude(v, exp_limit(v));
  return times_sigmoid(number(v, 1), v < 0, {minus_v});
}

inline Expr silu(const Expr& v) {
  const Expr minus_v = minus_magnitude(v, exp_limit(v));
  // The factor is bounded below, so that minus infinity is not multiplied by zero.
  return times_sigmoid(at_least(-exp_limit(v), v), v < 0, {minus_v});
}

/// v/2 (1 + tanh(sqrt(2/pi) (v + 0.044715 v^3))) = v sigmoid(u), u = v (c + a v^2).
///
/// The absolute error of u is the relative error of the result, and |u| is near 100 (750) at its
/// small end: hence the sums.
inline Expr gelu_tanh(const Expr& v) {
  const Expr c_high = number(v, 0x1.988p+0, 0x1.988453p+0);  // 2 sqrt(2/pi)
  const Expr c_low = number(v, 0x1.14cf5p-14, 0x1.ea1b284687e5ap-27);
  const Sum a = {number(v, 0x1.2444f2p-4, 0x1.2444f2a4d8b4bp-4),  // 0.044715 c
                 number(v, 0x1.49b16ap-29, -0x1.6c843a29d1c70p-61)};
  const Expr limit = number(v, 11, 22);  // where |u| is near exp_limit
  const Sum minus_v = {minus_magnitude(v, limit)};
  const Sum cubic = product(a, square(minus_v.high));
  const Sum minus_u = product(minus_v, exact_sum(c_high, {cubic.high, cubic.low + c_low}));
  return times_sigmoid(at_least(-limit, v), v < 0, minus_u);
}

/// v/2 (1 + erf(v / sqrt(2))) = max(v, 0) - y Q(y), y = |v|, with Q(y) = erfc(y / sqrt(2)) / 2 the
/// tail of the normal distribution.
///
/// Q(y) = exp(-y^2 / 2) w G(1 - 8w) with w = 1 / (y + 4), for y >= 0. An error in w is multiplied
/// by 3 at y = 0, and an error in y^2 by 100 (760) at the far end: hence the sums.
inline Expr gelu(const Expr& v) {
  const Expr limit = number(v, 15, 39);  // where y^2 / 2 is near exp_limit
  const Expr y = magnitude(minus_magnitude(v, limit));
  const Sum y_squared = square(y);
  const Sum w = reciprocal_of_sum(number(v, 4), y);
  // Relative error 2^-25.7, 2^-54.9.
  const Expr g = polynomial(
      (1 - 8 * w.high) - 8 * w.low,
      {.float32 = {0x1.82b4bc0000000p-1, -0x1.373e3a0000000p-1, 0x1.8c6d9c0000000p-2,
                   -0x1.7dff580000000p-3, 0x1.eed0980000000p-5, -0x1.edf01a0000000p-8,
                   -0x1.cb4e760000000p-9, 0x1.a7060a0000000p-10, 0x1.78f5aa0000000p-13,
                   -0x1.9032e80000000p-13, -0x1.1129480000000p-15},
       .float64 = {0x1.82b4bb8c94dcep-1,   -0x1.373e3a893c28ap-1,  0x1.8c6dbf2cfc282p-2,
                   -0x1.7dff2bff6839ep-3,  0x1.eec4cc3e509f5p-5,   -0x1.ee27610481692p-8,
                   -0x1.c81719d8cececp-9,  0x1.ab825fc192b1ap-10,  0x1.17a4b02f7ca96p-13,
                   -0x1.e4a4257f7f437p-13, -0x1.0021193ca6c15p-19, 0x1.26d09783a2006p-15,
                   0x1.80d9f8dbc4287p-21,  -0x1.8d4a72f143699p-18, -0x1.52449a0aab55ap-21,
                   0x1.122bc59948d8fp-20,  0x1.2469aaeafe4d5p-22,  -0x1.4c2a57b8615c2p-23,
                   -0x1.70cca4845b58bp-24, 0x1.bee5f4c40cc85p-27,  0x1.54f6898217fe0p-26,
                   0x1.1bb7e7f836191p-29,  -0x1.6144a8fc557a1p-29, -0x1.a16cc3e2d5416p-31}},
      2);
  // y w, rounded once.
  const Sum y_parts = split(y);
  const Expr yw = y_parts.high * w.high + (y_parts.low * w.high + y * w.low);
  const Expr minus_half = number(v, -0.5);
  const Sum exponent = {minus_half * y_squared.high, minus_half * y_squared.low};
  return select(v > 0, v, number(v, 0)) - scaled_exp(exponent, yw * g) * unscale(v);
}

/// tanh(|v|) = -m / (2 + m) with m = exp(-2|v|) - 1, which is small where v is.
inline Expr tanh(const Expr& v) {
  const Expr m = expm1_of_nonpositive(2 * minus_magnitude(v, number(v, 15, 25)));
  return with_sign_of(v, m / (2 + m));
}

/// log(1 + exp(v)) = max(v, 0) + log(1 + t), t = exp(-|v|).
inline Expr softplus(const Expr& v) {
  const Expr t = scaled_exp({minus_magnitude(v, exp_limit(v))}) * unscale(v);
  // log(1 + t) = log((1 + s) / (1 - s)) = 2s + s z L(z), s = t / (2 + t), z = s^2 <= 1/9.
  // Relative error 2^-31.3, 2^-57.5.
  const Expr s = t / (2 + t);
  const Expr z = s * s;
  const Expr l =
      polynomial(z, {.float32 = {0x1.5555560000000p-1, 0x1.9998160000000p-2, 0x1.24e56a0000000p-2,
                                 0x1.b9b2860000000p-3, 0x1.e78b200000000p-3},
                     .float64 = {0x1.5555555555551p-1, 0x1.999999999bcfep-2, 0x1.24924922af861p-2,
                                 0x1.c71c732398770p-3, 0x1.745cd43ba4802p-3, 0x1.3b1b52579de03p-3,
                                 0x1.10875e0c072e1p-3, 0x1.edfc0f752e915p-4, 0x1.5d7604c1eba76p-4,
                                 0x1.5591c697a5e65p-3}});
  return select(v > 0, v, number(v, 0)) + (2 * s + s * z * l);
}

/// v min(max(v + 3, 0), 6) / 6. v is bounded below so that minus infinity is not multiplied by
/// zero, and the division comes first so that nothing overflows.
inline Expr hard_swish(const Expr& v) {
  const Expr gate = activations::clamp(v + 3, number(v, 0), number(v, 6)) / 6;
  return at_least(number(v, -3), v) * gate;
}

/// The activation of v; p0 and p1 are clamp's bounds, p0 is leaky_relu's alpha.
inline Expr activate(Kind kind, const Expr& v, const Expr& p0, const Expr& p1) {
  const auto apply = [&]() -> Expr {
    switch (kind) {
      case Kind::kClamp:
        return activations::clamp(v, p0, p1);
      case Kind::kLeakyRelu:
        return leaky_relu(v, p0);
      case Kind::kElu:
        return elu(v);
      case Kind::kSelu:
        return selu(v);
      case Kind::kGelu:
        return gelu(v);
      case Kind::kGeluTanh:
        return gelu_tanh(v);
      case Kind::kSigmoid:
        return sigmoid(v);
      case Kind::kTanh:
        return activations::tanh(v);
      case Kind::kSoftplus:
        return softplus(v);
      case Kind::kSilu:
        return silu(v);
      case Kind::kHardSwish:
        return hard_swish(v);
    }
    return v;
  };
  // Names shared subexpressions first: strict_float walks an expression as a tree.
  return Halide::strict_float(Halide::Internal::common_subexpression_elimination(apply()));
}

}  // namespace upconv::activations
