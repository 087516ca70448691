# libpq is loaded when the first connection is made (src/adapters/pg/libpq_library.cpp): it brings fourteen other
# libraries, for LDAP, Kerberos and their TLS, which would make up half of the time that every start takes. Its
# functions are forwarded under their own names, as libpq's header declares them; so libpqxx, which calls them too, has
# to be in the program itself. libssl, which copies rows over TLS, is libpq's, and found through it. Where there is no
# archive of libpqxx, all are linked as usual.
find_library(STAITHE_PQXX_ARCHIVE NAMES libpqxx.a HINTS ${PQXX_LIBRARY_DIRS} ${PQXX_LIBDIR})
if(NOT STAITHE_PQXX_ARCHIVE)
  add_library(staithe_postgres INTERFACE)
  target_link_libraries(staithe_postgres INTERFACE PkgConfig::PQXX PkgConfig::PQ OpenSSL::SSL)
  set_source_files_properties("${PROJECT_SOURCE_DIR}/src/adapters/pg/libpq_library.cpp" PROPERTIES HEADER_FILE_ONLY ON)
  return()
endif()

# The two archives need each other: the linker is to look into both again.
add_library(staithe_postgres STATIC IMPORTED)
set_target_properties(staithe_postgres PROPERTIES IMPORTED_LOCATION "${STAITHE_PQXX_ARCHIVE}"
  INTERFACE_INCLUDE_DIRECTORIES "${PQXX_INCLUDE_DIRS};${PQ_INCLUDE_DIRS}"
  INTERFACE_LINK_LIBRARIES "staithe_pg;${CMAKE_DL_LIBS}")

find_file(STAITHE_LIBPQ_HEADER libpq-fe.h HINTS ${PQ_INCLUDE_DIRS} REQUIRED)
set_property(DIRECTORY "${PROJECT_SOURCE_DIR}" APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS "${STAITHE_LIBPQ_HEADER}")
file(READ "${STAITHE_LIBPQ_HEADER}" header)
string(REPLACE ";" "@" header "${header}")
string(REGEX MATCHALL "\nextern [^@(]+\\([^@()]*\\)@" prototypes "${header}")
set(forwards "// Made by cmake/libpq.cmake from ${STAITHE_LIBPQ_HEADER}.\n")
foreach(prototype IN LISTS prototypes)
  string(REGEX REPLACE "[ \t\n]+" " " prototype "${prototype}")
  string(REGEX MATCH "^ extern (.*[ *])([A-Za-z0-9_]+)\\((.*)\\)@$" whole "${prototype}")
  set(type "${CMAKE_MATCH_1}")
  set(name "${CMAKE_MATCH_2}")
  set(parameters "${CMAKE_MATCH_3}")
  string(REPLACE "," ";" arguments "${parameters}")
  list(TRANSFORM arguments REPLACE "^.*[ *]([A-Za-z0-9_]+)(\\[\\])?$" "\\1")
  if(parameters STREQUAL "void")
    set(arguments "")
  endif()
  list(JOIN arguments ", " arguments)
  string(APPEND forwards "${type}${name}(${parameters}) { static const auto real = find(&::${name}, \"${name}\"); return real(${arguments}); }\n")
endforeach()
file(CONFIGURE OUTPUT "${PROJECT_BINARY_DIR}/generated/libpq_forwards.inc" CONTENT "${forwards}" @ONLY)
