// The generator of a GPU's epilogue kernels: an activation of every element of a dense tensor.
#include "Halide.h"
#include "activations.h"

namespace {

using upconv::activations::Kind;

class GpuEpilogue : public Halide::Generator<GpuEpilogue> {
 public:
  GeneratorParam<Kind> activation{"activation", Kind::kLeakyRelu, upconv::activations::kinds()};

  Input<Buffer<float, 1>> in{"in"};  ///< may be the same memory as out
  Input<float> p0{"p0"}, p1{"p1"};
  Output<Buffer<float, 1>> out{"out"};

  void generate() {
    Var i{"i"}, block{"block"}, thread{"thread"};
    out(i) = upconv::activations::activate(activation, in(i), p0, p1);
    in.dim(0).set_min(0);
    out.dim(0).set_min(0);
    // As fast as memory: no more is to be had.
    Func(out).gpu_tile(i, block, thread, 256, Halide::TailStrategy::GuardWithIf);
  }
};

}  // namespace

HALIDE_REGISTER_GENERATOR(GpuEpilogue, gpu_epilogue)
