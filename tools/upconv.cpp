// upconv: the layer on the command line.
#include <CLI/CLI.hpp>
#include <iostream>
#include <string>

#include "commands.h"
#include "program.h"
#include "upconv/version.h"

namespace {

using upconv::tools::kDone;
using upconv::tools::kFailed;
using upconv::tools::kUsage;

int report(const std::string& text, int status) {
  return upconv::tools::report("upconv", text, status);
}

int run(int argc, const char* const* argv) {
  CLI::App app("Transposed convolution (deconvolution) of ranks 1, 2 and 3.", "upconv");
  app.set_version_flag("--version", "upconv " UPCONV_VERSION);
  app.require_subcommand(1);
  app.footer(
      "Exit status: 0 done; 2 a mistake in usage, configuration, shape or value; 1 all else.\n"
      "UPCONV_ISA forces an instruction set; \"upconv kernels\" lists those of this build.");
  upconv::tools::add_apply_command(app);
  upconv::tools::add_summary_command(app);
  upconv::tools::add_kernels_command(app);
  upconv::tools::add_bench_command(app);
  upconv::tools::add_import_command(app);
  try {
    app.parse(argc, argv);
  } catch (const CLI::CallForHelp&) {
    std::cout << app.help();
  } catch (const CLI::CallForAllHelp&) {
    std::cout << app.help("", CLI::AppFormatMode::All);
  } catch (const CLI::CallForVersion& version) {
    std::cout << version.what() << '\n';
  } catch (const CLI::ParseError& error) {
    return report(std::string(error.what()) + "; see upconv --help", kUsage);
  }
  std::cout.flush();
  if (!std::cout) return report("standard output cannot be written", kFailed);
  return kDone;
}

}  // namespace

int main(int argc, char** argv) {
  return upconv::tools::run_program("upconv", [&] { return run(argc, argv); });
}
