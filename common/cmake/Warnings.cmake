# One warning list for gcc 12 and clang 14; every warning is an error.
add_library(couplet_flags INTERFACE)
target_compile_definitions(couplet_flags INTERFACE _GNU_SOURCE)
target_compile_options(couplet_flags INTERFACE
    -Wall -Wextra -Werror -Wshadow -Wpointer-arith -Wcast-qual
    -Wstrict-prototypes -Wmissing-prototypes -Wold-style-definition
    -Wwrite-strings -Wvla -Wundef -Wformat=2 -Wswitch-enum
    -Wnull-dereference -Wdouble-promotion -Wimplicit-fallthrough
    -fno-strict-aliasing -fno-common -fstack-protector-strong)
if(CMAKE_C_COMPILER_ID STREQUAL "GNU")
    target_compile_options(couplet_flags INTERFACE
        -Wlogical-op -Wduplicated-cond -Wduplicated-branches)
endif()
if(CMAKE_BUILD_TYPE STREQUAL "Release")
    target_compile_definitions(couplet_flags INTERFACE _FORTIFY_SOURCE=2)
    target_compile_options(couplet_flags INTERFACE
        -fstack-clash-protection -fcf-protection -g
        -fno-omit-frame-pointer)
    target_link_options(couplet_flags INTERFACE
        -Wl,-z,relro,-z,now,-z,noexecstack)
endif()
if(COUPLET_SANITIZE)
    target_compile_options(couplet_flags INTERFACE
        -fsanitize=${COUPLET_SANITIZE} -fno-sanitize-recover=all
        -fno-omit-frame-pointer)
    target_link_options(couplet_flags INTERFACE
        -fsanitize=${COUPLET_SANITIZE})
endif()
