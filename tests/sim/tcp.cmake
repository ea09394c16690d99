# the TCP engine alone: ./tcp_sim SEEDS FIRST
add_executable(tcp_sim tcp_sim.c tcp_link.c)
target_include_directories(tcp_sim PRIVATE ${PROJECT_SOURCE_DIR}/tests)
target_link_libraries(tcp_sim PRIVATE stackd_tcp)
foreach(first 1 251 501 751)
    add_test(NAME tcp_sim.${first} COMMAND tcp_sim 250 ${first})
    set_tests_properties(tcp_sim.${first} PROPERTIES LABELS sim TIMEOUT 300)
endforeach()

# forged segments: ./tcp_storm SEEDS FIRST
add_executable(tcp_storm tcp_storm.c tcp_link.c)
target_include_directories(tcp_storm PRIVATE ${PROJECT_SOURCE_DIR}/tests)
target_link_libraries(tcp_storm PRIVATE stackd_tcp)
add_test(NAME tcp_storm COMMAND tcp_storm 150 1)
set_tests_properties(tcp_storm PROPERTIES LABELS sim TIMEOUT 300)

# the laboratory: goodput and fairness over bad paths, against a table
add_executable(lab lab.c lab_path.c tcp_link.c)
target_include_directories(lab PRIVATE ${PROJECT_SOURCE_DIR}/tests)
target_link_libraries(lab PRIVATE stackd_tcp)
add_test(NAME lab.table COMMAND lab --check ${CMAKE_CURRENT_SOURCE_DIR}/lab.table)
set_tests_properties(lab.table PROPERTIES LABELS sim TIMEOUT 900)
