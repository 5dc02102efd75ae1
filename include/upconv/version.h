/// The version of the library, and the namespace of that version.
///
/// Everything of the C++ interface is in an inline namespace inside `upconv`: programs write
/// `upconv::Tensor`, and linkers see `upconv::v0_1::Tensor`. So objects compiled against headers of
/// another version do not link, and two versions can be in one process. Names can therefore not be
/// declared by a program itself; include the header.
#pragma once

/// CMakeLists.txt takes the project's version from here.
#define UPCONV_VERSION "0.1.0"

/// In every file of the library: `namespace upconv::UPCONV_ABI {`. Before 1.0 a minor version may
/// change the interface, as the shared library's soname says.
#define UPCONV_ABI inline v0_1
