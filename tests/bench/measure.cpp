// measure RESULT COMMAND...: runs a command, its output thrown away, and writes to RESULT one line
//   WALL_SECONDS USER_SECONDS SYSTEM_SECONDS LARGEST_KB STATUS
// of everything it started, also of what went on in the background after it: processor time of the whole
// tree, and the resident memory of its largest process. A shell or Python in this place would show its own
// memory as the child's: a child inherits the high-water mark of the process it was forked from.
#include <fcntl.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdio>
#include <ctime>

namespace {

double now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) * 1e-9;
}

double seconds(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) * 1e-6;
}

[[noreturn]] void become(char** command) {
  const int nothing = open("/dev/null", O_RDWR);
  dup2(nothing, 0);
  dup2(nothing, 1);
  execvp(command[0], command);
  perror(command[0]);
  _exit(127);
}

}  // namespace

int main(int count, char** arguments) {
  if (count < 3) return fputs("usage: measure RESULT COMMAND...\n", stderr), 2;
  // What the command leaves behind comes to us, so that its processor time is counted too.
  prctl(PR_SET_CHILD_SUBREAPER, 1);
  const double began = now();
  const pid_t child = fork();
  if (child < 0) return perror("fork"), 1;
  if (child == 0) become(arguments + 2);
  int status = 0;
  double wall = 0;
  for (int some = 0;;) {
    const pid_t ended = wait(&some);
    if (ended < 0) break;
    if (ended != child) continue;
    status = WIFEXITED(some) ? WEXITSTATUS(some) : 128 + WTERMSIG(some);
    wall = now() - began;
  }
  rusage used{};
  getrusage(RUSAGE_CHILDREN, &used);
  FILE* result = fopen(arguments[1], "w");
  if (result == nullptr) return perror(arguments[1]), 1;
  fprintf(result, "%.6f %.6f %.6f %ld %d\n", wall, seconds(used.ru_utime), seconds(used.ru_stime),
          used.ru_maxrss, status);
  return fclose(result) == 0 ? 0 : 1;
}
