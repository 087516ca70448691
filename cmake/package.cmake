# Where Debian expects things, and a .deb of them.
install(TARGETS staithe RUNTIME DESTINATION "${CMAKE_INSTALL_BINDIR}")
foreach(section 1 5 7)
  file(GLOB pages CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/man/*.${section}")
  install(FILES ${pages} DESTINATION "${CMAKE_INSTALL_MANDIR}/man${section}")
endforeach()
install(FILES "${PROJECT_SOURCE_DIR}/completions/staithe.bash"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/bash-completion/completions" RENAME staithe OPTIONAL)
install(FILES "${PROJECT_SOURCE_DIR}/completions/staithe.fish"
        DESTINATION "${CMAKE_INSTALL_DATADIR}/fish/vendor_completions.d" OPTIONAL)
file(GLOB examples CONFIGURE_DEPENDS "${PROJECT_SOURCE_DIR}/playbooks/*.yml" "${PROJECT_SOURCE_DIR}/playbooks/Jenkinsfile")
install(FILES ${examples} DESTINATION "${CMAKE_INSTALL_DOCDIR}/examples")
foreach(part checks migrations staging)
  install(DIRECTORY "${PROJECT_SOURCE_DIR}/playbooks/${part}" DESTINATION "${CMAKE_INSTALL_DOCDIR}/examples"
          FILES_MATCHING PATTERN "*.yml" PATTERN "*.sql")
endforeach()
# Where the program will be is known when it is installed: --prefix says so, or the package's /usr.
# Debian's zsh reads vendor-completions below /usr, and site-functions below /usr/local.
install(CODE "
  set(functions site-functions)
  if(CMAKE_INSTALL_PREFIX STREQUAL \"/usr\")
    set(functions vendor-completions)
  endif()
  file(INSTALL \"${PROJECT_SOURCE_DIR}/completions/_staithe\"
    DESTINATION \"\${CMAKE_INSTALL_PREFIX}/share/zsh/\${functions}\")")
install(CODE "
  set(bindir \"${CMAKE_INSTALL_BINDIR}\")
  cmake_path(ABSOLUTE_PATH bindir BASE_DIRECTORY \"\${CMAKE_INSTALL_PREFIX}\")
  configure_file(\"${PROJECT_SOURCE_DIR}/cmake/staithe-watch@.service.in\"
    \"${PROJECT_BINARY_DIR}/generated/staithe-watch@.service\" @ONLY)")
install(FILES "${PROJECT_BINARY_DIR}/generated/staithe-watch@.service" DESTINATION lib/systemd/system)
install(FILES "${PROJECT_SOURCE_DIR}/README.md" DESTINATION "${CMAKE_INSTALL_DOCDIR}" OPTIONAL)
install(FILES "${PROJECT_SOURCE_DIR}/LICENSE" DESTINATION "${CMAKE_INSTALL_DOCDIR}" RENAME copyright)
# What is compiled in says whose it is.
foreach(part libboost-dev libcli11-dev libfmt-dev libpqxx-dev libpugixml-dev libspdlog-dev libyaml-cpp-dev nlohmann-json3-dev)
  install(FILES "/usr/share/doc/${part}/copyright" DESTINATION "${CMAKE_INSTALL_DOCDIR}/libraries" RENAME "${part}" OPTIONAL)
endforeach()

set(CPACK_GENERATOR DEB)
set(CPACK_PACKAGE_NAME staithe)
set(CPACK_PACKAGE_CONTACT "The staithe maintainers <staithe@example.com>")
set(CPACK_PACKAGE_DESCRIPTION_SUMMARY "${PROJECT_DESCRIPTION}")
set(CPACK_PACKAGING_INSTALL_PREFIX /usr)
set(CPACK_STRIP_FILES ON)
set(CPACK_DEBIAN_FILE_NAME DEB-DEFAULT)
set(CPACK_DEBIAN_PACKAGE_SECTION admin)
set(CPACK_DEBIAN_PACKAGE_SHLIBDEPS ON)
set(CPACK_DEBIAN_PACKAGE_DEPENDS "libcurl4, libpq5")  # loaded by name, so nothing shows them
set(CPACK_DEBIAN_PACKAGE_RECOMMENDS "git, openssh-client, postgresql-client")
include(CPack)
