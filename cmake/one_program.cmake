# The C++ libraries and the C++ runtime become part of the program where there are archives of them: what the loader
# does for them, thousands of symbols looked up by name, is a third of the time that a start takes, and their pages a
# tenth of the memory. The libraries behind which the outside is (libssh, OpenSSL, libcurl, libpq, SQLite, PCRE2) stay
# the system's, which keeps them safe; of what comes from there only XML bodies in checks are read by one of these,
# pugixml. Debug builds and sanitizers have everything shared, for many programs are linked there; preset tests, which
# is a debug build as well, has it as releases have, so that the tests meet what is installed.
set(one_program ON)
if(CMAKE_BUILD_TYPE STREQUAL "Debug" OR STAITHE_SANITIZE)
  set(one_program OFF)
endif()
option(STAITHE_ONE_PROGRAM "Make the C++ libraries part of the program" ${one_program})
if(NOT STAITHE_ONE_PROGRAM)
  return()
endif()
# What nothing calls is left out.
target_compile_options(staithe_settings INTERFACE -ffunction-sections -fdata-sections)
set(STAITHE_LINK_OPTIONS -Wl,--as-needed,--gc-sections,-O1)
include(CheckLinkerFlag)
check_linker_flag(CXX -Wl,-z,pack-relative-relocs STAITHE_PACKS_RELOCATIONS)
if(STAITHE_PACKS_RELOCATIONS)
  list(APPEND STAITHE_LINK_OPTIONS -Wl,-z,pack-relative-relocs)
endif()
# Each symbol of each library, those of libraries that are loaded later too, is looked for in one after the other until
# it is found: most are libcrypto's own and the C library's, so these two come first. That is a twelfth of the loader's
# work.
check_linker_flag(CXX -l:libc.so.6 STAITHE_NAMES_LIBC)
if(STAITHE_NAMES_LIBC)
  list(APPEND STAITHE_LINK_OPTIONS
       "SHELL:-Wl,--push-state,--no-as-needed $<TARGET_FILE:OpenSSL::Crypto> -l:libc.so.6 -Wl,--pop-state")
endif()
find_library(STAITHE_YAML_CPP_ARCHIVE NAMES libyaml-cpp.a)
if(NOT STAITHE_YAML_CPP_ARCHIVE OR NOT TARGET pugixml::static OR NOT TARGET fmt::fmt-header-only OR NOT STAITHE_PQXX_ARCHIVE)
  message(STATUS "Some C++ library has no archive here: all of them stay shared")
  return()
endif()
add_library(staithe_yaml_cpp STATIC IMPORTED)
set_target_properties(staithe_yaml_cpp PROPERTIES IMPORTED_LOCATION "${STAITHE_YAML_CPP_ARCHIVE}")
set(STAITHE_YAML staithe_yaml_cpp)
set(STAITHE_XML pugixml::static)
set(STAITHE_FMT fmt::fmt-header-only)
list(APPEND STAITHE_LINK_OPTIONS -static-libstdc++ -static-libgcc)
