# Tests that start servers mostly wait for them. So four run side by side, one of a lane at a time whatever -j says,
# and they start before those that only compute, so that the longest lane is never waited for at the end.
# The lanes take about as long as each other; the one that waits for servers which say nothing, and does little else,
# has a fifth for itself.
function(staithe_in_lane test)
  set(lane deploys)
  if(test MATCHES "\\.(stage_(end|faults|copies|resume)|rehearse_(source|page|classic))$")
    set(lane databases)
  elseif(test MATCHES "\\.stage_silent$")
    set(lane silence)
  elseif(test MATCHES "^integration\\.|\\.stage_.*$")
    set(lane adapters)
  elseif(NOT test MATCHES "\\.(recover.*|killed_anywhere|steady_load|hosts_fail|suggested|self_test)$")
    set(lane others)
  endif()
  set_tests_properties(${test} PROPERTIES RESOURCE_LOCK ${lane} COST 100)
endfunction()
