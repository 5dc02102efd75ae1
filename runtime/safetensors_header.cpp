#include "safetensors_header.h"

#include <algorithm>
#include <array>
#include <optional>
#include <tuple>
#include <unordered_set>

#include "files.h"
#include "safetensors_json.h"
#include "utf8.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

constexpr std::size_t kLengthBytes = 8;
constexpr std::string_view kMetadata = "__metadata__";

struct Width {
  std::string_view dtype;
  std::uint64_t bits;
};

/// Every dtype of the format.
constexpr std::array kWidths = {
    Width{"F4", 4},          Width{"F6_E2M3", 6},     Width{"F6_E3M2", 6}, Width{"BOOL", 8},
    Width{"U8", 8},          Width{"I8", 8},          Width{"F8_E5M2", 8}, Width{"F8_E4M3", 8},
    Width{"F8_E8M0", 8},     Width{"U16", 16},        Width{"I16", 16},    Width{"F16", 16},
    Width{"BF16", 16},       Width{"U32", 32},        Width{"I32", 32},    Width{"F32", 32},
    Width{"U64", 64},        Width{"I64", 64},        Width{"F64", 64},    Width{"C64", 64},
    Width{"F8_E4M3FNUZ", 8}, Width{"F8_E5M2FNUZ", 8},
};

std::string in_quotes(std::string_view text) { return "\"" + printable(text, 80) + "\""; }

class HeaderParser {
 public:
  HeaderParser(std::string_view text, std::string_view what, const FileLimits& limits)
      : json_(text, what), what_(what), limits_(limits) {}

  std::vector<SafetensorsTensor> parse() {
    json_.expect('{', "an object");
    if (!json_.take('}')) {
      do {
        parse_item();
      } while (json_.take(','));
      json_.expect('}', "',' or '}' after a tensor");
    }
    json_.expect_end();
    return std::move(tensors_);
  }

 private:
  [[noreturn]] void corrupt(const std::string& text) const {
    fail(ErrorKind::kCorruptFile, what_, text);
  }

  void parse_item() {
    std::string name = json_.string("a tensor's name in quotes");
    if (!names_.insert(name).second) {
      corrupt("tensor " + in_quotes(name) + " is there twice; names must differ");
    }
    json_.expect(':', "':' after a name");
    if (name == kMetadata) {
      parse_metadata();
      return;
    }
    if (tensors_.size() == limits_.safetensors_entries) {
      fail(ErrorKind::kLimitExceeded, what_,
           "header lists over " + std::to_string(limits_.safetensors_entries) +
               " tensors; that is the limit");
    }
    tensors_.push_back(parse_tensor(std::move(name)));
  }

  /// Strings by strings, which mean nothing here.
  void parse_metadata() {
    std::unordered_set<std::string> keys;
    json_.expect('{', "an object of strings for __metadata__");
    if (json_.take('}')) return;
    do {
      const std::string key = json_.string("a key of __metadata__ in quotes");
      if (!keys.insert(key).second) {
        corrupt("key " + in_quotes(key) + " of __metadata__ is there twice; keys must differ");
      }
      json_.expect(':', "':' after a key of __metadata__");
      json_.string("a string in quotes for key " + in_quotes(key) + " of __metadata__");
    } while (json_.take(','));
    json_.expect('}', "',' or '}' after a value of __metadata__");
  }

  SafetensorsTensor parse_tensor(std::string name) {
    const std::string of = " of tensor " + in_quotes(name);
    std::optional<std::string> dtype;
    std::optional<std::vector<Index>> shape, offsets;
    const auto once = [&](bool given, const char* key) {
      if (given) corrupt(std::string(key) + of + " is there twice; once is the rule");
    };
    json_.expect('{', "an object for tensor " + in_quotes(name));
    do {
      const std::string key = json_.string("a key in quotes" + of);
      json_.expect(':', "':' after a key" + of);
      if (key == "dtype") {
        once(dtype.has_value(), "dtype");
        dtype = json_.string("a dtype in quotes" + of);
      } else if (key == "shape") {
        once(shape.has_value(), "shape");
        shape = json_.integers("the shape" + of);
      } else if (key == "data_offsets") {
        once(offsets.has_value(), "data_offsets");
        offsets = json_.integers("the data_offsets" + of);
      } else {
        corrupt("key" + of + " is " + in_quotes(key) +
                "; the keys must be dtype, shape and data_offsets");
      }
    } while (json_.take(','));
    json_.expect('}', "',' or '}' after a value" + of);
    const auto need = [&](bool given, const char* key) {
      if (!given) corrupt(std::string(key) + of + " is missing; it is required");
    };
    need(dtype.has_value(), "dtype");
    need(shape.has_value(), "shape");
    need(offsets.has_value(), "data_offsets");
    if (offsets->size() != 2 || (*offsets)[0] > (*offsets)[1]) {
      corrupt("data_offsets" + of + " are " + list(*offsets) +
              "; they must be a pair [begin, end]");
    }
    SafetensorsTensor tensor{std::move(name), std::move(*dtype), std::move(*shape),
                             static_cast<std::uint64_t>((*offsets)[0]),
                             static_cast<std::uint64_t>((*offsets)[1])};
    check_bytes(tensor, of);
    return tensor;
  }

  /// Dtype and shape must need as many bytes as the offsets span.
  void check_bytes(const SafetensorsTensor& tensor, const std::string& of) const {
    const auto* const width = std::find_if(kWidths.begin(), kWidths.end(), [&](const Width& each) {
      return each.dtype == tensor.dtype;
    });
    if (width == kWidths.end()) {
      corrupt("dtype" + of + " is " + in_quotes(tensor.dtype) + "; it must be one of the format's");
    }
    std::uint64_t bits = width->bits;
    for (const Index extent : tensor.shape) {
      if (__builtin_mul_overflow(bits, static_cast<std::uint64_t>(extent), &bits)) {
        fail(ErrorKind::kLimitExceeded, what_,
             "shape" + of + " is " + list(tensor.shape) + "; its bits must fit 64 bits");
      }
    }
    if (bits % 8 != 0) {
      corrupt("shape" + of + " is " + list(tensor.shape) + ", " + std::to_string(bits) +
              " bits of " + tensor.dtype + "; they must be whole bytes");
    }
    const std::uint64_t bytes = tensor.end - tensor.begin;
    if (bytes != bits / 8) {
      corrupt("data_offsets" + of + " span " + std::to_string(bytes) + " bytes; shape " +
              list(tensor.shape) + " of " + tensor.dtype + " needs " + std::to_string(bits / 8));
    }
  }

  static std::string list(const std::vector<Index>& values) { return to_string(Dims(values)); }

  JsonReader json_;
  std::string_view what_;
  const FileLimits& limits_;
  std::vector<SafetensorsTensor> tensors_;
  std::unordered_set<std::string> names_;
};

/// Sorts by place, and refuses what overlaps, leaves bytes out or does not end with the file.
void check_places(std::vector<SafetensorsTensor>& tensors, std::uint64_t have,
                  std::string_view what) {
  std::sort(tensors.begin(), tensors.end(), [](const auto& a, const auto& b) {
    return std::tie(a.begin, a.end) < std::tie(b.begin, b.end);
  });
  std::uint64_t at = 0;
  for (const SafetensorsTensor& tensor : tensors) {
    const auto begins = "tensor " + in_quotes(tensor.name) + " begins at byte " +
                        std::to_string(tensor.begin) + " of the data; it must be at " +
                        std::to_string(at);
    if (tensor.begin < at) fail(ErrorKind::kCorruptFile, what, begins + ", where another one ends");
    if (tensor.begin > at) {
      fail(ErrorKind::kCorruptFile, what, begins + ", so that no bytes are left out");
    }
    at = tensor.end;
    if (at > have) {
      fail(ErrorKind::kTruncated, what,
           "tensor " + in_quotes(tensor.name) + " ends at byte " + std::to_string(at) +
               " of the data, of which the file has " + std::to_string(have));
    }
  }
  if (at != have) {
    fail(ErrorKind::kCorruptFile, what,
         "data has " + std::to_string(have) + " bytes; the tensors are " + std::to_string(at) +
             ", and nothing may follow them");
  }
}

}  // namespace

SafetensorsHeader parse_safetensors_header(std::span<const std::byte> file, std::string_view what,
                                           const FileLimits& limits) {
  if (file.size() < kLengthBytes) {
    fail(ErrorKind::kTruncated, what,
         "size is " + std::to_string(file.size()) +
             " bytes; the file ends inside the length of its header");
  }
  std::uint64_t length = 0;
  for (std::size_t at = kLengthBytes; at-- > 0;) {
    length = length << 8 | std::to_integer<std::uint64_t>(file[at]);
  }
  if (length > limits.safetensors_header) {
    fail(ErrorKind::kLimitExceeded, what,
         "header length is " + std::to_string(length) + " bytes; the limit is " +
             std::to_string(limits.safetensors_header));
  }
  if (length > file.size() - kLengthBytes) {
    fail(ErrorKind::kTruncated, what,
         "header length is " + std::to_string(length) + " bytes; the file has " +
             std::to_string(file.size() - kLengthBytes) + " after it");
  }
  const std::string_view text(reinterpret_cast<const char*>(file.data()) + kLengthBytes, length);
  if (!text.starts_with('{')) {
    fail(ErrorKind::kCorruptFile, what,
         "header starts with \"" + printable(text.substr(0, 1)) + "\"; it must start with {");
  }
  if (!is_utf8(text)) fail(ErrorKind::kCorruptFile, what, "header is not UTF-8; it must be");
  SafetensorsHeader header;
  header.data = kLengthBytes + text.size();
  header.tensors = HeaderParser(text, what, limits).parse();
  check_places(header.tensors, file.size() - header.data, what);
  return header;
}

std::string safetensors_header(std::span<const NamedView> arrays) {
  std::string json = "{";
  std::uint64_t at = 0;
  for (const NamedView& array : arrays) {
    const DType dtype = array.view.dtype();
    const auto bytes =
        static_cast<std::uint64_t>(element_count(array.view.shape())) * size_of(dtype);
    std::string shape;
    for (const Index extent : array.view.shape()) {
      shape += (shape.empty() ? "" : ",") + std::to_string(extent);
    }
    std::string name;
    for (const char c : array.name) {
      if (c == '"' || c == '\\') name += '\\';
      name += c;
    }
    json += json.size() > 1 ? ",\"" : "\"";
    json += name + "\":{\"dtype\":\"" + (dtype == DType::kFloat32 ? "F32" : "F64") +
            "\",\"shape\":[" + shape + "],\"data_offsets\":[" + std::to_string(at) + "," +
            std::to_string(at + bytes) + "]}";
    at += bytes;
  }
  json += '}';
  json.append((kLengthBytes - json.size() % kLengthBytes) % kLengthBytes, ' ');
  std::string header;
  for (std::size_t byte = 0; byte < kLengthBytes; ++byte) {
    header += static_cast<char>(json.size() >> (8 * byte) & 0xff);
  }
  return header + json;
}

}  // namespace upconv::UPCONV_ABI::internal
