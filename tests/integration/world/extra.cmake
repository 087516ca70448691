# Real HAProxy and apps, as the adapter's own tests have them.
foreach(part app balancer net)
  target_sources(${target} PRIVATE "${CMAKE_CURRENT_SOURCE_DIR}/integration/haproxy/${part}.cpp")
endforeach()
