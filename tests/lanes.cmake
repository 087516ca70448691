# Tests that start servers mostly wait for them. So six run side by side, one of a lane at a time whatever -j says,
# and they start before those that only compute, so that the longest lane is never waited for at the end.
# The lanes take about as long as each other; the one of servers which say nothing, where nearly all is waiting, has
# some of the servers that answer at once beside that.
function(staithe_in_lane test)
  set(lane others)
  if(test MATCHES "\\.stage_silent$|^integration\\.(git|haproxy|http|httpd|pg)$")
    set(lane silence)
  elseif(test MATCHES "^integration\\.")
    set(lane adapters)
  elseif(test MATCHES "\\.stage_")
    set(lane copies)
  elseif(test MATCHES "\\.(rehearse|watch)_")
    set(lane rehearsals)
  elseif(test MATCHES "\\.(recover.*|killed_anywhere|steady_load|hosts_fail|suggested|self_test)$")
    set(lane deploys)
  endif()
  set_tests_properties(${test} PROPERTIES RESOURCE_LOCK ${lane} COST 100)
endfunction()
