# Compile settings shared by every target of the project.
add_library(staithe_settings INTERFACE)
target_include_directories(staithe_settings INTERFACE
  "${PROJECT_SOURCE_DIR}/include" "${PROJECT_BINARY_DIR}/generated")
target_compile_options(staithe_settings INTERFACE
  -Wall -Wextra -Wpedantic -Wshadow -Wconversion -Wnon-virtual-dtor -Wold-style-cast
  # g++ 12 and 13 see an overlap in "literal" + std::string when they optimise (GCC bug 105651).
  $<$<CXX_COMPILER_ID:GNU>:-Wno-restrict>
  # At -O3 g++ 12 takes members of temporaries and optionals, which have their initialisers, for uninitialised.
  $<$<AND:$<CXX_COMPILER_ID:GNU>,$<NOT:$<CONFIG:Debug>>>:-Wno-maybe-uninitialized>
  # Where the checkout lies is no part of what is built: messages name files from its top, and caches are shared.
  "-fmacro-prefix-map=${PROJECT_SOURCE_DIR}/="
  $<$<BOOL:${STAITHE_WERROR}>:-Werror>)
set(CMAKE_UNITY_BUILD_BATCH_SIZE 16)
if(CMAKE_UNITY_BUILD)
  # Several files of a room in one go: a third of the time. What then hides what, and which type is nobody else's,
  # is for the build file by file to judge (preset dev).
  target_compile_options(staithe_settings INTERFACE -Wno-shadow $<$<CXX_COMPILER_ID:GNU>:-Wno-subobject-linkage>)
endif()
find_package(Threads REQUIRED)
target_link_libraries(staithe_settings INTERFACE Threads::Threads)
if(STAITHE_SANITIZE)
  target_compile_options(staithe_settings INTERFACE
    -fsanitize=${STAITHE_SANITIZE} -fno-omit-frame-pointer -fno-sanitize-recover=all)
  target_link_options(staithe_settings INTERFACE -fsanitize=${STAITHE_SANITIZE})
  if(STAITHE_SANITIZE MATCHES "undefined")
    # A question before each use of a pointer is a third of the compiler's time. AddressSanitizer stops at a null one
    # as well; an unaligned one, which none of our machines minds, goes unseen.
    target_compile_options(staithe_settings INTERFACE -fno-sanitize=null,alignment)
  endif()
endif()
if(STAITHE_SANITIZE STREQUAL "thread")
  # Asio has fences, which ThreadSanitizer does not see: what they order is ordered by Asio's locks as well.
  target_compile_options(staithe_settings INTERFACE $<$<CXX_COMPILER_ID:GNU>:-Wno-tsan>)
endif()
