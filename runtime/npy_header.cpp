// The .npy header: magic, version, length, and a Python dict literal of three keys.
#include <algorithm>
#include <charconv>
#include <optional>
#include <string>

#include "files.h"
#include "npy.h"

namespace upconv::UPCONV_ABI::internal {

namespace {

constexpr std::string_view kMagic = "\x93NUMPY";

std::string_view as_text(std::span<const std::byte> bytes) {
  return {reinterpret_cast<const char*>(bytes.data()), bytes.size()};
}

/// The dict literal. Each value is parsed by its key's own rule, so that nothing but a string, a
/// bool and a tuple of integers is ever understood; there is no general evaluator to attack.
class DictParser {
 public:
  DictParser(std::string_view text, std::string_view what, std::size_t most_axes)
      : text_(text), what_(what), most_axes_(most_axes) {}

  void parse(NpyHeader& header) {
    expect('{', "a dict");
    while (!take('}')) {
      parse_item();
      if (take(',')) continue;
      expect('}', "',' or '}' after a value");
      break;
    }
    skip_spaces();
    if (at_ != text_.size()) {
      corrupt("header has " + quote_from(at_) + " after the dict; only spaces may follow");
    }
    if (!element_) missing("descr");
    if (!fortran_order_) missing("fortran_order");
    if (!shape_) missing("shape");
    header.dtype = element_->dtype;
    header.swapped = element_->swapped;
    header.fortran_order = *fortran_order_;
    header.shape = *shape_;
  }

 private:
  void parse_item() {
    const std::string_view key = parse_string("header key");
    const bool repeated = (key == "descr" && element_) ||
                          (key == "fortran_order" && fortran_order_) || (key == "shape" && shape_);
    if (repeated) corrupt("header key '" + std::string(key) + "' is there twice; once is the rule");
    expect(':', "':' after a key");
    if (key == "descr") {
      parse_descr();
    } else if (key == "fortran_order") {
      parse_bool();
    } else if (key == "shape") {
      parse_shape();
    } else {
      corrupt("header key is '" + printable(key, 40) +
              "'; the keys must be descr, fortran_order and shape");
    }
  }

  void parse_descr() {
    skip_spaces();
    // A list is a structured dtype, a tuple one with sub-arrays or metadata: good files, but of
    // something else than numbers.
    if (peek() == '[' || peek() == '(') {
      fail(ErrorKind::kUnsupported, what_,
           "dtype is structured (descr " + printable(text_.substr(at_), 40) +
               "); it must be float32 or float64");
    }
    element_ = parse_npy_descr(parse_string("descr"), what_);
  }

  void parse_bool() {
    const std::size_t start = skip_spaces();
    const std::string_view word = take_while(
        [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || is_digit(c); });
    if (word != "True" && word != "False") {
      corrupt("fortran_order is " + quote_from(start) + "; it must be True or False");
    }
    fortran_order_ = word == "True";
  }

  void parse_shape() {
    const std::size_t start = skip_spaces();
    const char* rule = "; it must be a tuple of integers, as in (3,) or (3, 4)";
    if (!take('(')) corrupt("shape is " + quote_from(start) + rule);
    shape_.emplace();
    bool comma = true;
    while (!take(')')) {
      if (!comma) corrupt("shape is " + quote_from(start) + rule);
      if (shape_->size() == most_axes_) {
        fail(ErrorKind::kLimitExceeded, what_,
             "shape has more than " + std::to_string(most_axes_) + " axes; that is the limit");
      }
      shape_->push_back(parse_extent());
      comma = take(',');
    }
    // Python reads (3) as the number 3.
    if (shape_->size() == 1 && !comma) corrupt("shape is " + quote_from(start) + rule);
  }

  Index parse_extent() {
    const std::size_t start = skip_spaces();
    const std::string_view digits = take_while(is_digit);
    // NumPy under Python 2 wrote long integers as 10L.
    if (!digits.empty() && peek() == 'L') ++at_;
    skip_spaces();
    const bool ends = peek() == ',' || peek() == ')';
    if (digits.empty() || !ends || (digits.size() > 1 && digits[0] == '0')) {
      corrupt("shape has extent " + quote_from(start) +
              "; extents must be decimal integers of at least 0");
    }
    Index extent = 0;
    if (std::from_chars(digits.begin(), digits.end(), extent).ec != std::errc()) {
      fail(ErrorKind::kLimitExceeded, what_,
           "shape has extent " + printable(digits, 40) + "; extents must fit 63 bits");
    }
    return extent;
  }

  /// 'text' or "text" of printable ASCII without escapes: all that the three keys and the dtypes
  /// that are read can need, in every version of the format.
  std::string_view parse_string(const char* thing) {
    const std::size_t start = skip_spaces();
    const char quote = peek();
    if (quote != '\'' && quote != '"') {
      corrupt(std::string(thing) + " is " + quote_from(start) + "; it must be a string");
    }
    ++at_;
    const std::string_view value =
        take_while([quote](char c) { return c >= 0x20 && c < 0x7f && c != quote && c != '\\'; });
    if (peek() != quote || at_ == text_.size()) {
      corrupt(std::string(thing) + " is " + quote_from(start) +
              "; it must be a closed string of printable ASCII");
    }
    ++at_;
    return value;
  }

  static bool is_digit(char c) { return c >= '0' && c <= '9'; }

  /// The next character; NUL, which no rule takes, at the end.
  char peek() const { return at_ < text_.size() ? text_[at_] : '\0'; }

  std::size_t skip_spaces() {
    take_while([](char c) { return c == ' ' || c == '\t' || c == '\r' || c == '\n'; });
    return at_;
  }

  template <typename Predicate>
  std::string_view take_while(Predicate predicate) {
    const std::size_t start = at_;
    while (at_ < text_.size() && predicate(text_[at_])) ++at_;
    return text_.substr(start, at_ - start);
  }

  bool take(char wanted) {
    skip_spaces();
    const bool taken = at_ < text_.size() && text_[at_] == wanted;
    at_ += taken ? 1 : 0;
    return taken;
  }

  void expect(char wanted, const char* thing) {
    if (take(wanted)) return;
    corrupt("header has " + quote_from(at_) + " at byte " + std::to_string(at_) +
            "; it must have " + thing);
  }

  /// What stands at `start`, to be shown: as far as the next key or the end of the dict.
  std::string quote_from(std::size_t start) const {
    std::string_view rest = text_.substr(start, text_.size() - 1 - start);
    rest = rest.substr(0, std::min(rest.find('}', 1), rest.find(", '", 1)));
    while (rest.size() > 1 && (rest.back() == ' ' || rest.back() == ',')) rest.remove_suffix(1);
    return rest.empty() ? "nothing" : printable(rest, 40);
  }

  [[noreturn]] void corrupt(const std::string& text) const {
    fail(ErrorKind::kCorruptFile, what_, text);
  }

  [[noreturn]] void missing(const char* key) const {
    corrupt("header key '" + std::string(key) +
            "' is missing; the keys must be descr, fortran_order and shape");
  }

  std::string_view text_;
  std::string_view what_;
  std::size_t most_axes_;
  std::size_t at_ = 0;
  std::optional<NpyElement> element_;
  std::optional<bool> fortran_order_;
  std::optional<Dims> shape_;
};

/// Finds the dict between the length field and the first element.
std::string_view header_text(std::string_view file, std::string_view what,
                             const FileLimits& limits) {
  if (file.substr(0, kMagic.size()) != kMagic.substr(0, file.size())) {
    fail(ErrorKind::kCorruptFile, what,
         "first bytes are " + printable(file.substr(0, kMagic.size())) +
             "; a .npy file starts with \\x93NUMPY");
  }
  const auto byte = [&](std::size_t at) { return std::uint64_t{std::uint8_t(file[at])}; };
  const auto cut = [&](const char* part) {
    fail(ErrorKind::kTruncated, what,
         "size is " + std::to_string(file.size()) + " bytes; the file ends inside its " + part);
  };
  if (file.size() < 8) cut("magic");
  const std::uint64_t major = byte(6);
  if (major < 1 || major > 3 || byte(7) != 0) {
    fail(ErrorKind::kUnsupported, what,
         "format version is " + std::to_string(major) + "." + std::to_string(byte(7)) +
             "; it must be 1.0, 2.0 or 3.0");
  }
  const std::size_t start = major == 1 ? 10 : 12;
  if (file.size() < start) cut("header length");
  std::uint64_t length = 0;
  for (std::size_t at = start; at-- > 8;) length = length << 8 | byte(at);
  if (length > limits.header_bytes) {
    fail(ErrorKind::kLimitExceeded, what,
         "header length is " + std::to_string(length) + " bytes; the limit is " +
             std::to_string(limits.header_bytes));
  }
  if (length > file.size() - start) cut("header");
  const std::string_view text = file.substr(start, length);
  if (text.empty() || text.back() != '\n') {
    fail(ErrorKind::kCorruptFile, what,
         text.empty() ? "header length is 0; it must hold a dict"
                      : "header ends in '" + printable(text.substr(text.size() - 1)) +
                            "'; it must end in a newline");
  }
  return text;
}

}  // namespace

NpyHeader parse_npy_header(std::span<const std::byte> bytes, std::string_view what,
                           const FileLimits& limits) {
  const std::string_view file = as_text(bytes);
  const std::string_view text = header_text(file, what, limits);
  NpyHeader header{};
  header.payload = static_cast<std::size_t>(text.data() + text.size() - file.data());
  DictParser(text, what, std::min(limits.axes, kMaxAxes)).parse(header);

  // An empty array's other extents must not overflow either: strides are products of them.
  auto size = static_cast<Index>(size_of(header.dtype));
  for (const Index extent : header.shape) {
    if (__builtin_mul_overflow(size, std::max<Index>(extent, 1), &size)) {
      fail(ErrorKind::kLimitExceeded, what,
           "shape is " + to_string(header.shape) + "; its bytes must fit 63 bits");
    }
  }
  return header;
}

std::string npy_header(DType dtype, const Dims& shape) {
  // NumPy leaves room for the first extent to grow to 21 digits without moving the data.
  constexpr std::size_t kGrowth = 21;
  constexpr std::size_t kAlignment = 64;
  const char order = std::endian::native == std::endian::little ? '<' : '>';
  std::string tuple = "(";
  for (std::size_t axis = 0; axis < shape.size(); ++axis) {
    tuple += (axis ? ", " : "") + std::to_string(shape[axis]);
  }
  tuple += shape.size() == 1 ? ",)" : ")";
  std::string text = std::string("{'descr': '") + order + 'f' + std::to_string(size_of(dtype)) +
                     "', 'fortran_order': False, 'shape': " + tuple + ", }";
  if (!shape.empty()) text.append(kGrowth - std::to_string(shape[0]).size(), ' ');
  constexpr std::size_t kBefore = 10;  // magic, version, length
  text.append(kAlignment - (kBefore + text.size() + 1) % kAlignment, ' ');
  text += '\n';
  std::string header(kMagic);
  header += {'\1', '\0', static_cast<char>(text.size() & 255), static_cast<char>(text.size() >> 8)};
  return header + text;
}

}  // namespace upconv::UPCONV_ABI::internal
