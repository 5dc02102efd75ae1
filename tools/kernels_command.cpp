// upconv kernels: the table of kernels in this build.
#include <algorithm>
#include <iomanip>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <vector>

#include "commands.h"
#include "upconv/kernels.h"

namespace upconv::tools {

namespace {

void print_json(const std::vector<KernelInfo>& kernels) {
  auto list = nlohmann::ordered_json::array();
  for (const KernelInfo& kernel : kernels) {
    list.push_back({{"name", kernel.name},
                    {"strategy", kernel.strategy},
                    {"rank", kernel.rank},
                    {"dtype", to_string(kernel.dtype)},
                    {"isa", to_string(kernel.isa)},
                    {"runnable", kernel.runnable}});
  }
  std::cout << list.dump(1) << '\n';
}

void print_table(const std::vector<KernelInfo>& kernels) {
  std::size_t width = 4;
  std::size_t strategy_width = 8;
  for (const KernelInfo& kernel : kernels) {
    width = std::max(width, kernel.name.size());
    strategy_width = std::max(strategy_width, kernel.strategy.size());
  }
  const auto line = [&](const std::string& name, const std::string& strategy,
                        const std::string& rank, std::string_view dtype, std::string_view isa,
                        const std::string& runnable) {
    std::cout << std::left << std::setw(static_cast<int>(width) + 2) << name
              << std::setw(static_cast<int>(strategy_width) + 2) << strategy << std::setw(6) << rank
              << std::setw(9) << dtype << std::setw(8) << isa << runnable << '\n';
  };
  line("name", "strategy", "rank", "dtype", "isa", "runnable");
  for (const KernelInfo& kernel : kernels) {
    line(kernel.name, kernel.strategy, kernel.rank == 1 ? "1" : "1-" + std::to_string(kernel.rank),
         to_string(kernel.dtype), to_string(kernel.isa), kernel.runnable ? "yes" : "no");
  }
}

}  // namespace

void add_kernels_command(CLI::App& app) {
  CLI::App* const command = app.add_subcommand("kernels", "List the kernels in this build.");
  const auto json = std::make_shared<bool>(false);
  command->add_flag("--json", *json, "print a JSON list; rank is the highest that is served");
  command->callback([json] {
    const std::vector<KernelInfo> kernels = kernel_infos();
    if (*json) {
      print_json(kernels);
    } else {
      print_table(kernels);
    }
  });
}

}  // namespace upconv::tools
