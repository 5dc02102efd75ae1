// How threads share a call's units: each unit once, whoever comes when, own ranges first.
#include "units.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cstddef>
#include <functional>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

namespace upconv::internal {
namespace {

/// Runs tasks one after the other, in an order of its own.
class InOrder final : public Executor {
 public:
  explicit InOrder(std::vector<int> order) : order_(std::move(order)) {}
  void run(int count, const std::function<void(int)>& task) override {
    ASSERT_EQ(count, static_cast<int>(order_.size()));
    for (const int n : order_) task(n);
  }

 private:
  std::vector<int> order_;
};

TEST(Units, EachIsRunOnceInAscendingOrderOfEveryRange) {
  for (const std::vector<int>& order : {std::vector{0}, {1, 0}, {0, 1, 2}, {2, 0, 1, 3}}) {
    for (const Index units : {0, 1, 2, 3, 7, 24}) {
      const int threads = static_cast<int>(order.size());
      SCOPED_TRACE(std::to_string(units) + " units, " + std::to_string(threads) + " threads");
      std::vector<int> runs(static_cast<std::size_t>(units));
      InOrder executor(order);
      for_each_unit(units, threads, &executor, {}, 0, [&](std::span<std::byte>) {
        return [&runs, last = Index{-1}](Index unit) mutable {
          EXPECT_GT(unit, last);
          last = unit;
          ++runs.at(static_cast<std::size_t>(unit));
        };
      });
      EXPECT_EQ(runs, std::vector<int>(static_cast<std::size_t>(units), 1));
    }
  }
}

TEST(Units, AThreadBeginsWithItsOwnRange) {
  InOrder executor({2, 1, 0});
  std::vector<Index> firsts;
  for_each_unit(30, 3, &executor, {}, 0, [&](std::span<std::byte>) {
    return [&firsts, is_first = true](Index unit) mutable {
      if (is_first) firsts.push_back(unit);
      is_first = false;
    };
  });
  // The first task, of thread 2, runs all: its own range, then those of threads 0 and 1.
  EXPECT_EQ(firsts, (std::vector<Index>{20, 0, 10}));
}

/// What all threads run of units with these costs when their walks come in this order.
std::vector<int> runs_of(const std::vector<double>& costs, const std::vector<int>& order) {
  double all = 1;
  for (const double cost : costs) all += cost;
  std::vector<int> runs(costs.size());
  Ranges ranges;
  const int threads = static_cast<int>(order.size());
  for (const int thread : order) {
    for (const bool own : {true, false}) {
      Claims claim(ranges, threads, all, thread, own);
      for (std::size_t unit = 0; unit < costs.size(); ++unit) {
        if (claim(costs[unit])) ++runs[unit];
      }
    }
  }
  return runs;
}

TEST(Units, ClaimedOnAWalkRunOnceWhateverTheyCost) {
  std::mt19937 random(20261130);  // NOLINT(cert-msc32-c,cert-msc51-cpp): the same every time
  for (int round = 0; round < 200; ++round) {
    std::vector<double> costs(random() % 40);
    for (double& cost : costs) cost = random() % 3 == 0 ? 0 : static_cast<double>(random() % 1000);
    std::vector<int> order(1 + random() % 5);
    for (std::size_t n = 0; n < order.size(); ++n) order[n] = static_cast<int>(n);
    std::shuffle(order.begin(), order.end(), random);
    EXPECT_EQ(runs_of(costs, order), std::vector<int>(costs.size(), 1)) << "round " << round;
  }
}

TEST(Units, OfAWalkAreSharedByCost) {
  // A thread's own walk, before anyone helps: a range has a third of the cost.
  const std::vector<double> costs = {300, 100, 100, 100, 150, 150};
  for (const auto& [thread, expected] : {std::pair{0, std::vector<int>{1, 0, 0, 0, 0, 0}},
                                         {1, {0, 1, 1, 1, 0, 0}},
                                         {2, {0, 0, 0, 0, 1, 1}}}) {
    Ranges ranges;
    Claims claim(ranges, 3, 900, thread, true);
    std::vector<int> runs;
    for (const double cost : costs) runs.push_back(claim(cost) ? 1 : 0);
    EXPECT_EQ(runs, expected) << "thread " << thread;
  }
}

}  // namespace
}  // namespace upconv::internal
