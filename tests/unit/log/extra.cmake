include("${PROJECT_SOURCE_DIR}/tests/support/std_regex.cmake")
