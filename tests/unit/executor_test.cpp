// ThreadPool: every task once, nested and concurrent use, and tasks that throw.
#include "upconv/executor.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <atomic>
#include <iterator>
#include <stdexcept>
#include <thread>
#include <vector>

#include "expect_error.h"

namespace upconv {
namespace {

TEST(ThreadPool, RunsEveryTaskOnce) {
  for (const int threads : {1, 2, 5}) {
    ThreadPool pool(threads);
    EXPECT_EQ(pool.threads(), threads);
    for (const int count : {0, 1, 2, 100}) {
      std::vector<std::atomic<int>> runs(static_cast<std::size_t>(count));
      pool.run(count, [&](int n) { ++runs[static_cast<std::size_t>(n)]; });
      for (const std::atomic<int>& n : runs) EXPECT_EQ(n, 1);
    }
  }
}

TEST(ThreadPool, ATaskMayUseItsOwnPool) {
  ThreadPool pool(3);
  std::atomic<int> inner = 0;
  pool.run(4, [&](int) { pool.run(5, [&](int) { ++inner; }); });
  EXPECT_EQ(inner, 20);
}

TEST(ThreadPool, EachThreadHasItsOwnTaskInEveryJob) {
  constexpr int kThreads = 3;
  ThreadPool pool(kThreads);
  std::thread::id first[kThreads];
  for (int job = 0; job < 20; ++job) {
    std::thread::id of[kThreads];
    std::atomic<int> begun = 0;
    pool.run(kThreads, [&](int n) {
      of[n] = std::this_thread::get_id();
      ++begun;
      while (begun < kThreads) std::this_thread::yield();  // nobody takes two
    });
    EXPECT_EQ(of[0], std::this_thread::get_id());
    if (job == 0) std::copy(std::begin(of), std::end(of), std::begin(first));
    EXPECT_TRUE(std::equal(std::begin(of), std::end(of), std::begin(first))) << "job " << job;
  }
}

TEST(ThreadPool, CallsFromSeveralThreadsTakeTurns) {
  ThreadPool pool(2);
  std::atomic<int> total = 0;
  std::vector<std::thread> callers;
  callers.reserve(4);
  for (int caller = 0; caller < 4; ++caller) {
    callers.emplace_back([&] {
      for (int n = 0; n < 50; ++n) pool.run(3, [&](int) { ++total; });
    });
  }
  for (std::thread& caller : callers) caller.join();
  EXPECT_EQ(total, 4 * 50 * 3);
}

TEST(ThreadPool, WhatATaskThrowsComesOutAndThePoolGoesOn) {
  ThreadPool pool(3);
  std::atomic<int> runs = 0;
  const auto throwing = [&](int n) {
    ++runs;
    if (n % 2 == 0) throw std::runtime_error("task");
  };
  EXPECT_THROW(pool.run(10, throwing), std::runtime_error);
  EXPECT_EQ(runs, 10);
  runs = 0;
  pool.run(7, [&](int) { ++runs; });
  EXPECT_EQ(runs, 7);
}

TEST(ThreadPool, RefusesFewerThanOneThread) {
  expect_error(ErrorKind::kInvalidArgument, {"ThreadPool: threads is 0; it must be at least 1"},
               [] { ThreadPool pool(0); });
}

}  // namespace
}  // namespace upconv
