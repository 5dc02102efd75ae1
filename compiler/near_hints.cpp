#include "near_hints.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cstdint>
#include <cstring>
#include <iterator>
#include <optional>
#include <regex>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace upconv::compiler {

namespace {

constexpr std::string_view kUsedOnce = "prefetchnta", kSecondLevel = "prefetcht1";
/// Intel SDM, volume 2, PREFETCHh: 0F 18 /0 and 0F 18 /2, the number in ModRM's middle bits.
constexpr char kOpcode[] = {'\x0f', '\x18'};
constexpr char kSecondLevelBits = 2 << 3;

std::optional<unsigned> register_number(const std::string& name) {
  constexpr std::array kLow = {"rax", "rcx", "rdx", "rbx", "rsp", "rbp", "rsi", "rdi"};
  const auto* const at = std::find(kLow.begin(), kLow.end(), name);
  if (at != kLow.end()) return static_cast<unsigned>(at - kLow.begin());
  if (name.size() < 2 || !std::all_of(name.begin() + 1, name.end(), ::isdigit)) return std::nullopt;
  return static_cast<unsigned>(std::stoul(name.substr(1)));
}

/// The instruction with an operand such as -64(%rax,%r9,4), and where its ModRM byte is.
struct Prefetch {
  std::string bytes;
  std::size_t modrm = 0;
};

/// The two bits of a SIB byte that say 1, 2, 4 or 8.
unsigned scale_bits(char scale) {
  return scale == '8' ? 3 : scale == '4' ? 2 : scale == '2' ? 1 : 0;
}

/// Nothing where the operand has a form that does not occur.
std::optional<Prefetch> encode(const std::string& operand) {
  static const std::regex form(R"((-?\d*)\(%(r\w+)(?:,%(r\w+)(?:,([1248]))?)?\))");
  std::smatch parts;
  if (!std::regex_match(operand, parts, form)) return std::nullopt;
  const std::optional<unsigned> base = register_number(parts[2]);
  const bool indexed = parts[3].matched;
  const std::optional<unsigned> index = indexed ? register_number(parts[3]) : 0U;
  if (!base || !index) return std::nullopt;
  const auto displacement =
      parts[1].length() > 0 ? static_cast<std::int32_t>(std::stol(parts[1])) : 0;
  const unsigned scale = parts[4].matched ? scale_bits(parts[4].str()[0]) : 0;

  Prefetch of;
  const auto add = [&](unsigned byte) { of.bytes.push_back(static_cast<char>(byte)); };
  const unsigned rex = (*index >> 3 << 1) | *base >> 3;
  if (rex != 0) add(0x40 | rex);
  of.bytes.append(std::begin(kOpcode), std::end(kOpcode));
  of.modrm = of.bytes.size();
  // A base of rbp or r13 always has a displacement, one of rsp or r12 an index byte.
  unsigned mode = 2;
  if (displacement == 0 && *base % 8 != 5) {
    mode = 0;
  } else if (-128 <= displacement && displacement <= 127) {
    mode = 1;
  }
  const bool has_sib = indexed || *base % 8 == 4;
  add(mode << 6 | (has_sib ? 4 : *base % 8));
  if (has_sib) add(scale << 6 | (indexed ? *index % 8 : 4) << 3 | *base % 8);
  for (unsigned byte = 0; byte < (mode == 0 ? 0U : mode == 1 ? 1U : 4U); ++byte) {
    add(static_cast<std::uint32_t>(displacement) >> 8 * byte & 0xff);
  }
  return of;
}

/// The prefetches of the code as text, in order; nothing where one of them is not understood.
std::optional<std::vector<Prefetch>> prefetches_of(const std::string& assembly) {
  std::vector<Prefetch> all;
  for (std::size_t at = 0; (at = assembly.find(kUsedOnce, at)) != std::string::npos;) {
    at = assembly.find_first_not_of(" \t", at + kUsedOnce.size());
    const std::size_t end = assembly.find_first_of(" \t\n#", at);
    const std::optional<Prefetch> found = encode(assembly.substr(at, end - at));
    if (!found) return std::nullopt;
    all.push_back(*found);
  }
  return all;
}

template <typename T>
T number_at(const std::string& bytes, std::size_t at) {
  T value = 0;
  if (at <= bytes.size() && sizeof value <= bytes.size() - at) {
    std::memcpy(&value, bytes.data() + at, sizeof value);
  }
  return value;
}

struct Range {
  std::size_t begin = 0;
  std::size_t end = 0;
};

/// Where an ELF object of 64 bits has code (System V ABI, "Section header"); nothing for others.
std::vector<Range> code_of(const std::string& object) {
  if (!object.starts_with("\x7f"
                          "ELF\x02\x01")) {
    return {};
  }
  std::vector<Range> code;
  const auto headers = number_at<std::uint64_t>(object, 0x28);
  const auto size = number_at<std::uint16_t>(object, 0x3a);
  const auto count = number_at<std::uint16_t>(object, 0x3c);
  for (std::size_t at = headers; at < headers + std::size_t{size} * count; at += size) {
    constexpr std::uint64_t kExecutable = 4;
    if ((number_at<std::uint64_t>(object, at + 0x08) & kExecutable) == 0) continue;
    const auto begin = number_at<std::uint64_t>(object, at + 0x18);
    code.push_back({begin, begin + number_at<std::uint64_t>(object, at + 0x20)});
  }
  return code;
}

/// Where the code has a ModRM byte of one of these, or bytes that look like one.
std::vector<std::size_t> places_of(const std::vector<Prefetch>& prefetches,
                                   const std::string& object) {
  std::set<std::size_t> places;
  for (const Range& code : code_of(object)) {
    for (const Prefetch& of : prefetches) {
      for (std::size_t at = code.begin; (at = object.find(of.bytes, at)) < code.end; ++at) {
        places.insert(at + of.modrm);
      }
    }
  }
  return {places.begin(), places.end()};
}

}  // namespace

bool bring_nearer(std::string& object, std::string& assembly) {
  const std::optional<std::vector<Prefetch>> prefetches = prefetches_of(assembly);
  if (!prefetches) return false;
  if (prefetches->empty()) return true;
  // Each is at one of these places, so where they are as many, these are they.
  const std::vector<std::size_t> places = places_of(*prefetches, object);
  if (places.size() != prefetches->size()) return false;
  for (const std::size_t at : places) object[at] = static_cast<char>(object[at] | kSecondLevelBits);
  for (std::size_t at = 0; (at = assembly.find(kUsedOnce, at)) != std::string::npos;) {
    assembly.replace(at, kUsedOnce.size(), kSecondLevel);
  }
  return true;
}

}  // namespace upconv::compiler
