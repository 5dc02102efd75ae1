// Listed rows (few input channels: taps and channels in one loop) change no bit: sums are those of
// loops over taps and channels, for every layer, number of threads and view of x.
#include "listed_rows.h"

#include <gtest/gtest.h>

#include <vector>

#include "cases.h"
#include "checks.h"
#include "kernel_table.h"
#include "layers.h"
#include "plans.h"
#include "wide_packing.h"

namespace upconv::test {
namespace {

class ListedRows : public testing::TestWithParam<Isa> {};

/// Parts of the layer whose rows are listed where all taps of a phase are reached.
std::size_t listed_parts(const Plans& plans) {
  const internal::LayerFacts& facts = plans.facts;
  Index taps = 1;
  for (const internal::AxisPhases& axis : facts.axes) taps *= axis.with_taps().front().taps;
  std::size_t count = 0;
  for (const internal::Part& part :
       internal::choose_parts(facts.output_size, facts.dtype, facts.isa)) {
    count += internal::lists_rows(part, facts.input_size, taps) ? 1 : 0;
  }
  return count;
}

/// The case with channels of zeros behind those of x: as many as no list is made for. They change
/// no sum.
Case with_many_inputs(const Case& c) {
  const Index own = c.problem.input_size, all = 40, outputs = c.problem.output_size;
  Case more = c;
  more.problem.input_size = all;
  more.x.assign(c.x.size() / static_cast<std::size_t>(own) * all, 0);
  for (std::size_t i = 0; i < c.x.size(); ++i) {
    const auto channels = static_cast<std::size_t>(own);
    more.x[i / channels * all + i % channels] = c.x[i];
  }
  const auto tap = static_cast<std::size_t>(own * outputs);
  more.kernel.assign(c.kernel.size() / static_cast<std::size_t>(own) * all, 0);
  for (std::size_t i = 0; i < c.kernel.size(); ++i) {
    more.kernel[i / tap * static_cast<std::size_t>(all * outputs) + i % tap] = c.kernel[i];
  }
  return more;
}

void expect_the_sums_of_loops(const Problem& problem, DType dtype, Isa isa, Random& random) {
  const Case c = make_case(problem, dtype, Values::kNormal, random);
  const Case loops = with_many_inputs(c);
  const Plans plans(c, isa), loop_plans(loops, isa);
  ASSERT_EQ(listed_parts(loop_plans), 0U);
  const Tensor got = plans.run_on_any_threads(*plans.wide, c.input(), problem.text());
  EXPECT_EQ(values_of(got), values_of(loop_plans.run(*loop_plans.wide, loops.input())))
      << problem.text();
}

/// Layers of many boxes, chunks and blocks, of every number of vectors, folded ones; with all that
/// cuts taps: borders, crops, phases of unequal taps, dilations, fewer inputs than taps.
const std::vector<Problem>& problems() {
  static const std::vector<Problem> all = {
      make_problem({2}, {17, 21}, 3, 75, {5, 5}, {1, 1}, {1, 1}, "SAME"),
      make_problem({1}, {30, 29}, 6, 40, {5, 5}, {4, 2}, {1, 1}, "SAME"),
      make_problem({1}, {9, 40}, 16, 21, {16, 16}, {8, 8}, {1, 1}, "SAME"),  // folded
      make_problem({2}, {11, 13}, 1, 16, {4, 3}, {1, 1}, {1, 1}, "VALID"),
      make_problem({2}, {19, 13}, 2, 7, {4, 3}, {1, 1}, {1, 1}, "VALID"),  // one vector or two
      make_problem({1}, {300}, 2, 33, {31}, {4}, {1}, "SAME"),
      make_problem({3}, {9, 5}, 5, 17, {3, 7}, {2, 3}, {3, 3}, "SAME"),
      make_problem({2}, {9, 8}, 3, 24, {3, 3}, {1, 2}, {2, 3}, "VALID"),
      make_problem({2}, {4, 5, 6}, 7, 24, {3, 3, 3}, {2, 1, 2}, {1, 1, 1}, "SAME"),
      make_problem({5}, {1, 1}, 4, 50, {9, 9}, {2, 2}, {1, 1}, "VALID"),
      make_problem({2}, {1, 3}, 4, 64, {1, 9}, {1, 1}, {1, 1}, "VALID"),  // slides
      make_problem({1}, {3, 2}, 32, 96, {2, 9}, {1, 1}, {1, 1}, "SAME"),  // most inputs
  };
  return all;
}

TEST_P(ListedRows, SumAsLoopsDo) {
  for (const Problem& problem : problems()) {
    for (const DType dtype : {DType::kFloat32, DType::kFloat64}) {
      Random random(7);
      expect_the_sums_of_loops(problem, dtype, GetParam(), random);
    }
  }
}

TEST_P(ListedRows, SumAsLoopsDoOnRandomLayers) {
  std::uint64_t listed = 0;
  for (std::uint64_t seed = 1; seed <= cases(150); ++seed) {
    Random random(seed);
    Problem problem = random_problem(random);
    problem.input_size = draw(random, 1, 5);
    const DType dtype = seed % 3 == 0 ? DType::kFloat64 : DType::kFloat32;
    expect_the_sums_of_loops(problem, dtype, GetParam(), random);
    const Case c = make_case(problem, dtype, Values::kIntegers, random);
    listed += listed_parts(Plans(c, GetParam())) > 0 ? 1 : 0;
    if (HasFailure()) {
      ADD_FAILURE() << "seed " << seed;
      return;
    }
  }
  EXPECT_GT(listed, cases(150) / 3);
}

// A list has room for so many rows; with more, the loops are used.
TEST_P(ListedRows, AreAtMostAsManyAsAListHolds) {
  const Index inputs = 32, taps = internal::kListedRows / inputs;
  for (const Index more : {0, 1}) {
    const Problem problem = make_problem({1}, {80}, inputs, 96, {taps + more}, {1}, {1}, "SAME");
    Random random(5);
    const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
    EXPECT_EQ(listed_parts(Plans(c, GetParam())) > 0, more == 0);
    expect_the_sums_of_loops(problem, DType::kFloat32, GetParam(), random);
  }
}

TEST_P(ListedRows, ReadAnyViewOfTheInput) {
  const Problem problem = make_problem({2}, {9, 11}, 5, 24, {4, 5}, {2, 1}, {1, 1}, "SAME");
  Random random(2);
  const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
  const Plans plans(c, GetParam());
  ASSERT_GT(listed_parts(plans), 0U);
  const Tensor x = c.input();
  const BackwardsRows backwards(x);
  EXPECT_TRUE(
      same_bits(plans.run(*plans.wide, backwards.view()).view(), plans.run(*plans.wide, x).view()));
}

TEST_P(ListedRows, ApplyActivationsAndResidualsAndWriteOnlyTheirChannels) {
  for (const char* activation : {"linear", "relu6", "tanh"}) {
    for (const Problem& problem : problems()) {
      Random random(5);
      const Case c = make_case(problem, DType::kFloat32, Values::kNormal, random);
      const Case loops = with_many_inputs(c);
      const Plans plans(c, GetParam(), activation), loop_plans(loops, GetParam(), activation);
      const Tensor residual = loop_plans.run(*loop_plans.wide, loops.input());
      CallOptions call;
      call.residual = residual;
      const Tensor expected = loop_plans.run(*loop_plans.wide, loops.input(), call);
      MiddleChannels middle(residual.shape());
      const TensorView into = middle.view();
      plans.run(*plans.wide, c.input(), call, &into);
      EXPECT_EQ(values_of(into), values_of(expected)) << activation << " " << problem.text();
      middle.expect_others_untouched(problem.text());
    }
  }
}

TEST_P(ListedRows, AreWhatLayersOfFewInputChannelsComputeWith) {
  Random random(17);
  const auto kernel_of = [&](Index inputs) {
    const Case c =
        make_case(make_problem({1}, {54, 54}, inputs, 96, {3, 3}, {1, 1}, {1, 1}, "SAME"),
                  DType::kFloat32, Values::kNormal, random);
    return layer_of(c, GetParam(), "relu").kernel_choice(c.input_shape()).kernel;
  };
  EXPECT_TRUE(kernel_of(3).ends_with("_listed")) << kernel_of(3);
  EXPECT_FALSE(kernel_of(100).ends_with("_listed")) << kernel_of(100);
}

INSTANTIATE_TEST_SUITE_P(AllIsas, ListedRows, testing::ValuesIn(isas()), isa_name);

}  // namespace
}  // namespace upconv::test
