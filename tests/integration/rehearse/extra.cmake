# What it tests is private to the room stage.
target_include_directories(${target} PRIVATE "${PROJECT_SOURCE_DIR}/src/stage" "${PROJECT_SOURCE_DIR}/src/stage/rehearse" "${PROJECT_SOURCE_DIR}/src/stage/backfill")
