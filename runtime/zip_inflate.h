// The bytes of one member of a zip archive.
#pragma once

#include <string_view>

#include "files.h"
#include "zip_directory.h"

namespace upconv::UPCONV_ABI::internal {

/// Inflates a deflated member, and demands that its stream is whole, fills member.data, gives
/// member.size bytes and not one more. zlib is used directly because libzip 1.7.3 cannot be asked
/// where a stream ended. The caller has checked member.size against its limits.
/// @throws Error kCorruptFile.
Buffer inflate_member(const ZipMember& member, std::string_view what);

/// @throws Error kCorruptFile when `bytes`, the member as it was before deflation, has another
///         CRC-32 than the archive says.
void check_crc32(const ZipMember& member, std::span<const std::byte> bytes, std::string_view what);

}  // namespace upconv::UPCONV_ABI::internal
