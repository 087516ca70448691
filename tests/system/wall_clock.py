"""A wall clock that jumps under the program, while the steady one goes on as it is."""
import os
import shutil
import subprocess

SOURCE = r"""
#define _GNU_SOURCE
#include <stdlib.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>
static long offset(void) {
  const char *by = getenv("JUMP"), *when = getenv("JUMP_WHEN");
  return by && when && access(when, F_OK) == 0 ? atol(by) : 0;
}
int clock_gettime(clockid_t clock, struct timespec *now) {
  int done = (int)syscall(SYS_clock_gettime, clock, now);
  if (clock == CLOCK_REALTIME) now->tv_sec += offset();
  return done;
}
time_t time(time_t *to) {
  struct timespec now;
  clock_gettime(CLOCK_REALTIME, &now);
  if (to) *to = now.tv_sec;
  return now.tv_sec;
}
int gettimeofday(struct timeval *now, void *zone) {
  struct timespec exact;
  (void)zone;
  clock_gettime(CLOCK_REALTIME, &exact);
  now->tv_sec = exact.tv_sec;
  now->tv_usec = exact.tv_nsec / 1000;
  return 0;
}
"""


def library(directory):
    """To be preloaded: while the file JUMP_WHEN is there, the wall clock is JUMP seconds off."""
    source, made = os.path.join(directory, "clock.c"), os.path.join(directory, "clock.so")
    with open(source, "w", encoding="ascii") as file:
        file.write(SOURCE)
    compiler = shutil.which("cc") or shutil.which("gcc") or shutil.which("clang")
    subprocess.run([compiler, "-shared", "-fPIC", "-o", made, source], check=True)
    return made
