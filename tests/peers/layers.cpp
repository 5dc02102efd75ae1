// The layers of a comparison with another library, in that library's terms: see compare.py.
//
//   upconv_terms_layers VALUES RESULTS < cases > answers
//
// VALUES and RESULTS are float32, one case after the other. A line of `cases` is
// {"terms": {...}, "x": shape, "kernel": shape, "bias": count}: the next elements of VALUES are x
// (channels last), the kernel in that library's order, and the bias. The answer is {"shape":
// [...]}, with the result appended to RESULTS, or {"error": "..."}.
#include <upconv/upconv.h>

#include <exception>
#include <fstream>
#include <iostream>
#include <nlohmann/json.hpp>
#include <span>
#include <stdexcept>
#include <string>
#include <vector>

#include "terms.h"

namespace {

using upconv::Dims;
using upconv::Index;
using upconv::Tensor;
using Json = nlohmann::json;

Tensor read(std::ifstream& values, const Json& shape) {
  Tensor tensor(upconv::DType::kFloat32, Dims(shape.get<std::vector<Index>>()));
  const std::span<float> elements = tensor.values<float>();
  if (!values.read(reinterpret_cast<char*>(elements.data()),
                   static_cast<std::streamsize>(elements.size_bytes()))) {
    throw std::runtime_error("the values end before the cases do");
  }
  return tensor;
}

Json answer(const Json& c, std::ifstream& values, std::ofstream& results) {
  const Tensor x = read(values, c.at("x"));
  const Tensor kernel = read(values, c.at("kernel"));
  const Tensor bias = read(values, Json::array({c.at("bias")}));
  try {
    upconv::test::PeerLayer peer = upconv::test::parse_terms(c.at("terms"));
    peer.options.use_bias = bias.size() > 0;
    upconv::ConvolutionTranspose layer(peer.options);
    layer.kernel().assign(upconv::kernel_from(peer.convention, kernel, peer.options));
    if (bias.size() > 0) layer.bias().assign(bias);
    const Tensor y = layer(x, {.output_lengths = peer.output_lengths});
    const std::span<const float> elements = y.values<float>();
    results.write(reinterpret_cast<const char*>(elements.data()),
                  static_cast<std::streamsize>(elements.size_bytes()));
    return {{"shape", std::vector<Index>(y.shape().begin(), y.shape().end())}};
  } catch (const upconv::Error& error) {
    return {{"error", error.what()}};
  }
}

}  // namespace

int main(int argc, char** argv) {
  try {
    if (argc != 3) throw std::runtime_error("usage: upconv_terms_layers VALUES RESULTS");
    std::ifstream values(argv[1], std::ios::binary);
    std::ofstream results(argv[2], std::ios::binary);
    std::string line;
    while (std::getline(std::cin, line)) {
      std::cout << answer(Json::parse(line), values, results).dump() << '\n';
    }
    return 0;
  } catch (const std::exception& error) {
    std::cerr << error.what() << '\n';
    return 1;
  }
}
