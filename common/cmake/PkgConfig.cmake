# add_pkgconfig(LIBRARY "what it is" [REQUIRES module...])
#
# LIBRARY.pc for `pkg-config --cflags --libs LIBRARY`. Paths start at the
# prefix where they can, so that a package may move.
function(add_pkgconfig library what)
    cmake_parse_arguments(P "" "" "REQUIRES" ${ARGN})
    list(JOIN P_REQUIRES " " requires)
    foreach(kind LIB INCLUDE)
        if(IS_ABSOLUTE "${CMAKE_INSTALL_${kind}DIR}")
            set(${kind} "${CMAKE_INSTALL_${kind}DIR}")
        else()
            set(${kind} "\${prefix}/${CMAKE_INSTALL_${kind}DIR}")
        endif()
    endforeach()
    file(WRITE ${CMAKE_CURRENT_BINARY_DIR}/${library}.pc
        "prefix=${CMAKE_INSTALL_PREFIX}\n"
        "libdir=${LIB}\n"
        "includedir=${INCLUDE}\n"
        "\n"
        "Name: ${library}\n"
        "Description: ${what}\n"
        "Version: ${PROJECT_VERSION}\n"
        "Requires.private: ${requires}\n"
        "Cflags: -I\${includedir}\n"
        "Libs: -L\${libdir} -l${library}\n")
    install(FILES ${CMAKE_CURRENT_BINARY_DIR}/${library}.pc
        DESTINATION ${CMAKE_INSTALL_LIBDIR}/pkgconfig)
endfunction()
