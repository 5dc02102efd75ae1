// A layer in cuDNN's terms: the gradient to the input of a convolution, in float32 without tensor
// cores, NCHW, with the algorithm that cuDNN's own search finds fastest.
#pragma once

#include <cuda_runtime.h>
#include <cudnn.h>

#include <cstddef>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

namespace upconv::bench {

/// cuDNN's own refusal, or CUDA's.
class CudnnError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

inline void require(cudnnStatus_t status) {
  if (status != CUDNN_STATUS_SUCCESS) throw CudnnError(cudnnGetErrorString(status));
}
inline void require(cudaError_t status) {
  if (status != cudaSuccess) throw CudnnError(cudaGetErrorString(status));
}

/// Bytes in the device's memory.
class DeviceMemory {
 public:
  explicit DeviceMemory(std::size_t bytes) { require(cudaMalloc(&data_, bytes + 1)); }
  explicit DeviceMemory(const std::vector<float>& values)
      : DeviceMemory(values.size() * sizeof(float)) {
    require(
        cudaMemcpy(data_, values.data(), values.size() * sizeof(float), cudaMemcpyHostToDevice));
  }
  DeviceMemory(const DeviceMemory&) = delete;
  DeviceMemory& operator=(const DeviceMemory&) = delete;
  ~DeviceMemory() { cudaFree(data_); }
  void* data() const { return data_; }

 private:
  void* data_ = nullptr;
};

/// Extents in row-major order, two spatial axes at least.
struct CudnnShape {
  std::vector<int> x;       ///< [images, input_size, spatial...]
  std::vector<int> y;       ///< [images, output_size, spatial...]
  std::vector<int> kernel;  ///< [input_size, output_size, filter...]
  std::vector<int> crops, strides, dilations;
};

class CudnnLayer {
 public:
  CudnnLayer(const CudnnShape& shape, const std::vector<float>& x, const std::vector<float>& kernel)
      : x_(x), kernel_(kernel), y_(elements(shape.y) * sizeof(float)) {
    require(cudnnCreate(&handle_));
    require(cudnnCreateTensorDescriptor(&x_layout_));
    require(cudnnCreateTensorDescriptor(&y_layout_));
    require(cudnnCreateFilterDescriptor(&kernel_layout_));
    require(cudnnCreateConvolutionDescriptor(&convolution_));
    const auto describe = [](cudnnTensorDescriptor_t layout, const std::vector<int>& extents) {
      std::vector<int> steps(extents.size(), 1);
      for (std::size_t axis = extents.size() - 1; axis-- > 0;) {
        steps[axis] = steps[axis + 1] * extents[axis + 1];
      }
      require(cudnnSetTensorNdDescriptor(layout, CUDNN_DATA_FLOAT, static_cast<int>(extents.size()),
                                         extents.data(), steps.data()));
    };
    describe(x_layout_, shape.x);
    describe(y_layout_, shape.y);
    require(cudnnSetFilterNdDescriptor(kernel_layout_, CUDNN_DATA_FLOAT, CUDNN_TENSOR_NCHW,
                                       static_cast<int>(shape.kernel.size()), shape.kernel.data()));
    require(cudnnSetConvolutionNdDescriptor(
        convolution_, static_cast<int>(shape.strides.size()), shape.crops.data(),
        shape.strides.data(), shape.dilations.data(), CUDNN_CROSS_CORRELATION, CUDNN_DATA_FLOAT));
    require(cudnnSetConvolutionMathType(convolution_, CUDNN_FMA_MATH));
    search();
  }
  CudnnLayer(const CudnnLayer&) = delete;
  CudnnLayer& operator=(const CudnnLayer&) = delete;
  ~CudnnLayer() {
    cudnnDestroyConvolutionDescriptor(convolution_);
    cudnnDestroyFilterDescriptor(kernel_layout_);
    cudnnDestroyTensorDescriptor(y_layout_);
    cudnnDestroyTensorDescriptor(x_layout_);
    cudnnDestroy(handle_);
  }

  int algorithm() const { return static_cast<int>(found_.algo); }

  /// Asks the device for the layer; returns before it is done.
  void launch() const {
    const float one = 1, zero = 0;
    require(cudnnConvolutionBackwardData(handle_, &one, kernel_layout_, kernel_.data(), x_layout_,
                                         x_.data(), convolution_, found_.algo, workspace_->data(),
                                         found_.memory, &zero, y_layout_, y_.data()));
  }
  static void wait() { require(cudaDeviceSynchronize()); }

  std::vector<float> result(std::size_t count) const {
    std::vector<float> y(count);
    require(cudaMemcpy(y.data(), y_.data(), count * sizeof(float), cudaMemcpyDeviceToHost));
    return y;
  }

  static std::size_t elements(const std::vector<int>& extents) {
    std::size_t count = 1;
    for (const int extent : extents) count *= static_cast<std::size_t>(extent);
    return count;
  }

 private:
  /// The fastest of all algorithms that use no tensor cores.
  void search() {
    cudnnConvolutionBwdDataAlgoPerf_t results[CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT * 2];
    int count = 0;
    require(cudnnFindConvolutionBackwardDataAlgorithm(
        handle_, kernel_layout_, x_layout_, convolution_, y_layout_,
        CUDNN_CONVOLUTION_BWD_DATA_ALGO_COUNT * 2, &count, results));
    for (int n = 0; n < count; ++n) {
      const bool plain =
          results[n].mathType == CUDNN_FMA_MATH || results[n].mathType == CUDNN_DEFAULT_MATH;
      if (results[n].status != CUDNN_STATUS_SUCCESS || !plain) continue;
      found_ = results[n];
      workspace_ = std::make_unique<DeviceMemory>(found_.memory);
      return;
    }
    throw CudnnError("no algorithm of cuDNN's serves the layer");
  }

  DeviceMemory x_, kernel_, y_;
  std::unique_ptr<DeviceMemory> workspace_;
  cudnnHandle_t handle_ = nullptr;
  cudnnTensorDescriptor_t x_layout_ = nullptr, y_layout_ = nullptr;
  cudnnFilterDescriptor_t kernel_layout_ = nullptr;
  cudnnConvolutionDescriptor_t convolution_ = nullptr;
  cudnnConvolutionBwdDataAlgoPerf_t found_ = {};
};

}  // namespace upconv::bench
