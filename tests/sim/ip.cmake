# layer 3 alone, three hosts on one Ethernet: ./ip_sim SEEDS FIRST
add_executable(ip_sim ip_sim.c)
target_link_libraries(ip_sim PRIVATE stackd_ip)
foreach(first 1 101 201)
    add_test(NAME ip_sim.${first} COMMAND ip_sim 100 ${first})
    set_tests_properties(ip_sim.${first} PROPERTIES LABELS sim TIMEOUT 300)
endforeach()
