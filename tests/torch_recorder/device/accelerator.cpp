// An accelerator that isn't there: tensors in the host's memory that PyTorch takes for another device's. Operations run
// on the host, and refuse tensors of two devices as a real one would; NumPy can't see them. Some operations take the
// kernels that accelerators have for them alone (dropout, cells of recurrent layers).
#include <ATen/ATen.h>
#include <ATen/EmptyTensor.h>
#include <ATen/detail/PrivateUse1HooksInterface.h>
#include <ATen/native/CPUFallback.h>
#include <ATen/native/Resize.h>
#include <ATen/ops/_reshape_alias_native.h>
#include <ATen/ops/as_strided_native.h>
#include <ATen/ops/set_native.h>
#include <ATen/ops/unfold_native.h>
#include <ATen/ops/view_native.h>
#include <c10/core/impl/DeviceGuardImplInterface.h>
#include <c10/core/impl/alloc_cpu.h>
#include <torch/library.h>

using at::IntArrayRef;
using at::Tensor;
using Optional = std::optional<Tensor>;
constexpr auto HERE = c10::DeviceType::PrivateUse1;

// Memory, and the one device that there is

struct Allocator final : c10::Allocator {
  c10::DataPtr allocate(size_t bytes) override {
    void* data = bytes ? c10::alloc_cpu(bytes) : nullptr;
    return {data, data, &c10::free_cpu, c10::Device(HERE, 0)};
  }
  c10::DeleterFnPtr raw_deleter() const override { return &c10::free_cpu; }
  void copy_data(void* to, const void* from, size_t bytes) const override { default_copy_data(to, from, bytes); }
};
static Allocator allocator;
REGISTER_ALLOCATOR(HERE, &allocator);

struct Guard final : c10::impl::DeviceGuardImplInterface {
  c10::DeviceType type() const override { return HERE; }
  c10::Device exchangeDevice(c10::Device) const override { return c10::Device(HERE, 0); }
  c10::Device getDevice() const override { return c10::Device(HERE, 0); }
  void setDevice(c10::Device) const override {}
  void uncheckedSetDevice(c10::Device) const noexcept override {}
  c10::Stream getStream(c10::Device device) const override { return c10::Stream(c10::Stream::DEFAULT, device); }
  c10::Stream getDefaultStream(c10::Device device) const override { return c10::Stream(c10::Stream::DEFAULT, device); }
  c10::Stream exchangeStream(c10::Stream stream) const override { return stream; }
  c10::DeviceIndex deviceCount() const noexcept override { return 1; }
  void record(void**, const c10::Stream&, const c10::DeviceIndex, const c10::EventFlag) const override {}
  void block(void*, const c10::Stream&) const override {}
  bool queryEvent(void*) const override { return true; }
  void destroyEvent(void*, const c10::DeviceIndex) const noexcept override {}
};
C10_REGISTER_GUARD_IMPL(PrivateUse1, Guard);

struct Hooks final : at::PrivateUse1HooksInterface {
  bool hasPrimaryContext(c10::DeviceIndex) const override { return true; }
  bool isPinnedPtr(const void*) const override { return false; }
  at::Device getDeviceFromPtr(void*) const override { return c10::Device(HERE, 0); }
  void resizePrivateUse1Bytes(const c10::Storage& storage, size_t bytes) const override {
    auto* kept = storage.unsafeGetStorageImpl();
    auto made = allocator.allocate(bytes);
    memcpy(made.get(), kept->data(), std::min(bytes, kept->nbytes()));
    kept->set_data_ptr_noswap(std::move(made));
    kept->set_nbytes(bytes);
  }
};
static Hooks hooks;
static bool hooked = (at::RegisterPrivateUse1HooksInterface(&hooks), true);

// Tensors: made, copied, looked at in another way

using Type = std::optional<at::ScalarType>;
using Layout = std::optional<at::Layout>;
using Device = std::optional<at::Device>;
using Pinned = std::optional<bool>;

static Tensor empty(IntArrayRef size, Type type, Layout, Device, Pinned, std::optional<at::MemoryFormat> format) {
  c10::DispatchKeySet keys(c10::DispatchKey::PrivateUse1);
  return at::detail::empty_generic(size, &allocator, keys, c10::dtype_or_default(type), format);
}

static Tensor empty_strided(IntArrayRef size, IntArrayRef stride, Type type, Layout, Device, Pinned) {
  c10::DispatchKeySet keys(c10::DispatchKey::PrivateUse1);
  return at::detail::empty_strided_generic(size, stride, &allocator, keys, c10::dtype_or_default(type));
}

static Tensor on_host(const Tensor& tensor) {
  if (tensor.is_cpu()) return tensor;
  auto options = at::TensorOptions().dtype(tensor.dtype()).device(at::kCPU);
  return at::from_blob(tensor.data_ptr(), tensor.sizes(), tensor.strides(), options);
}

static Tensor copy_from(const Tensor& from, const Tensor& to, bool) {
  auto values = on_host(from);
  if (from.is_neg()) values = values.neg();
  if (from.is_conj()) values = values.conj();
  on_host(to).copy_(values);
  return to;
}

static Tensor copy_from_and_resize(const Tensor& from, const Tensor& to) {
  if (to.sizes() != from.sizes()) to.resize_(from.sizes());
  return copy_from(from, to, false);
}

static Tensor& set_storage(Tensor& tensor, at::Storage storage) { return at::native::set_(tensor, storage); }

static Tensor& set_window(Tensor& tensor, at::Storage storage, int64_t offset, IntArrayRef size, IntArrayRef stride) {
  auto* impl = tensor.unsafeGetTensorImpl();
  impl->set_storage_keep_dtype(storage);
  impl->set_storage_offset(offset);
  if (stride.size() == size.size()) impl->set_sizes_and_strides(size, stride, offset);
  else impl->set_sizes_contiguous(size);
  return tensor;
}

static const Tensor& resize(const Tensor& tensor, c10::SymIntArrayRef wanted, std::optional<at::MemoryFormat>) {
  auto size = C10_AS_INTARRAYREF_SLOW(wanted);
  auto* impl = tensor.unsafeGetTensorImpl();
  size_t bytes = (c10::multiply_integers(size) + impl->storage_offset()) * impl->itemsize();
  if (bytes > impl->unsafe_storage().nbytes()) hooks.resizePrivateUse1Bytes(impl->unsafe_storage(), bytes);
  impl->set_sizes_contiguous(size);
  return tensor;
}

// Kernels that the host doesn't have

static Tensor plus(const Tensor& a, const Optional& b) { return b.has_value() && b->defined() ? a + *b : a; }

static std::tuple<Tensor, Tensor, Tensor> lstm_cell(
    const Tensor& of_input, const Tensor& of_state, const Tensor& cell, const Optional& bias, const Optional& other) {
  auto gates = (plus(of_input, bias) + plus(of_state, other)).chunk(4, 1);
  auto made = gates[1].sigmoid() * cell + gates[0].sigmoid() * gates[2].tanh();
  return {gates[3].sigmoid() * made.tanh(), made, at::empty({0}, of_input.options())};
}

static std::tuple<Tensor, Tensor> gru_cell(
    const Tensor& of_input, const Tensor& of_state, const Tensor& state, const Optional& bias, const Optional& other) {
  auto a = plus(of_input, bias).chunk(3, 1), b = plus(of_state, other).chunk(3, 1);
  auto made = (a[2] + (a[0] + b[0]).sigmoid() * b[2]).tanh();
  return {(state - made) * (a[1] + b[1]).sigmoid() + made, at::empty({0}, of_input.options())};
}

static Tensor grid_sampler(const Tensor& x, const Tensor& grid) { return at::grid_sampler_2d(x, grid, 0, 0, true); }

static int64_t plain_attention(
    const Tensor&, const Tensor&, const Tensor&, const Optional&, double, bool, std::optional<double>, bool) {
  return 0;
}

// Everything else runs on the host, with tensors of one device (numbers and indices apart)

static void fallback(const c10::OperatorHandle& op, torch::jit::Stack* stack) {
  bool here = false, elsewhere = false;
  auto see = [&](const Tensor& tensor) {
    if (!tensor.defined()) return;
    if (tensor.device().type() == HERE) here = true;
    else if (tensor.dim() > 0) elsewhere = true;
  };
  for (auto& value : torch::jit::last(*stack, op.schema().arguments().size())) {
    if (value.isTensor()) see(value.toTensor());
    else if (value.isTensorList()) for (const auto& tensor : value.toTensorVector()) see(tensor);
    else if (value.isOptionalTensorList())
      for (const auto& tensor : value.toOptionalTensorVector()) if (tensor.has_value()) see(*tensor);
  }
  const auto& name = op.schema().name();
  bool mixes = name.find("index") != std::string::npos || name.find("copy") != std::string::npos;
  TORCH_CHECK(!(here && elsewhere) || mixes, "expected all tensors on one device in ", name);
  at::native::cpu_fallback(op, stack);
}

TORCH_LIBRARY_IMPL(_, PrivateUse1, m) { m.fallback(torch::CppFunction::makeFromBoxedFunction<&fallback>()); }

TORCH_LIBRARY_IMPL(aten, PrivateUse1, m) {
  m.impl("empty.memory_format", empty);
  m.impl("empty_strided", empty_strided);
  m.impl("_copy_from", copy_from);
  m.impl("_copy_from_and_resize", copy_from_and_resize);
  m.impl("set_.source_Storage", set_storage);
  m.impl("set_.source_Storage_storage_offset", set_window);
  m.impl("resize_", resize);
  m.impl("as_strided", at::native::as_strided_tensorimpl);
  m.impl("view", static_cast<Tensor (*)(const Tensor&, IntArrayRef)>(at::native::view));
  m.impl("_reshape_alias", at::native::_reshape_alias);
  m.impl("unfold", at::native::unfold);
  m.impl("_thnn_fused_lstm_cell", lstm_cell);
  m.impl("_thnn_fused_gru_cell", gru_cell);
  m.impl("cudnn_grid_sampler", grid_sampler);
  m.impl("_fused_sdp_choice", plain_attention);
  for (auto* name : {"convolution", "convolution_backward", "native_batch_norm", "native_layer_norm", "native_group_norm"})
    m.impl(name, torch::CppFunction::makeFromBoxedFunction<&fallback>());
}
