# cmake -D FILE=... -D HEADER=... -D NAME=... -P embed.cmake: a file's bytes as an array in a header.
file(READ "${FILE}" bytes HEX)
string(REGEX REPLACE "(..)" "'\\\\x\\1'," bytes "${bytes}")
file(WRITE "${HEADER}" "#pragma once\nconstexpr char ${NAME}[] = {${bytes}};\n")
