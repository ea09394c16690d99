# add_room(TARGET SOURCES a.c ... [LINKS t ...])
#
# One folder, one room, one static library. Headers are included as
# "room/file.h" from the root of the daemon or of common/. A room links only
# what it names; the include-direction test checks the same arrows in the
# sources.
function(add_room target)
    cmake_parse_arguments(R "" "" "SOURCES;LINKS" ${ARGN})
    add_library(${target} STATIC ${R_SOURCES})
    target_include_directories(${target} PUBLIC
        ${CMAKE_CURRENT_SOURCE_DIR}/.. ${PROJECT_SOURCE_DIR}/common)
    target_link_libraries(${target} PUBLIC couplet_flags ${R_LINKS})
endfunction()

# add_unit_test(NAME SOURCES test_x.c LINKS t ... [LABEL unit])
#
# One cmocka program; every cmocka_unit_test*(case) in its sources becomes a
# CTest entry NAME.case, run by the program's filter argument.
function(add_unit_test name)
    cmake_parse_arguments(T "" "LABEL" "SOURCES;LINKS" ${ARGN})
    if(NOT T_LABEL)
        set(T_LABEL unit)
    endif()
    add_executable(${name} ${T_SOURCES})
    target_include_directories(${name} PRIVATE
        ${PROJECT_SOURCE_DIR}/tests/lib ${PROJECT_SOURCE_DIR}/tests)
    target_link_libraries(${name} PRIVATE
        couplet_flags ${T_LINKS} PkgConfig::CMOCKA)
    foreach(src ${T_SOURCES})
        # a name may stand on the line after the macro
        file(READ ${src} text)
        string(REGEX MATCHALL
            "cmocka_unit_test[a-z_]*\\([ \t\r\n]*[A-Za-z0-9_]+"
            found "${text}")
        set_property(DIRECTORY APPEND PROPERTY CMAKE_CONFIGURE_DEPENDS ${src})
        foreach(macro ${found})
            string(REGEX REPLACE ".*[^A-Za-z0-9_]" "" case "${macro}")
            add_test(NAME ${name}.${case} COMMAND ${name} ${case})
            set_tests_properties(${name}.${case} PROPERTIES
                LABELS ${T_LABEL} TIMEOUT 120)
        endforeach()
    endforeach()
endfunction()

# Rooms are added as they appear.
function(add_subdirectory_if dir)
    if(EXISTS ${CMAKE_CURRENT_SOURCE_DIR}/${dir}/CMakeLists.txt)
        add_subdirectory(${dir})
    endif()
endfunction()
