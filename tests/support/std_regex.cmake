# For test programs that use std::regex; included as their extra.cmake.
# g++ 12 takes std::regex's own state for uninitialised when a sanitizer is on (GCC bug 105562).
if(STAITHE_SANITIZE AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
  target_compile_options(${target} PRIVATE -Wno-maybe-uninitialized)
endif()
