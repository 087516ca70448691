# A store that hangs: another connection to the same file keeps it locked.
target_link_libraries(${target} PRIVATE SQLite::SQLite3)
