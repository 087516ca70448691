#include "left_clones.hpp"

#include "staithe/event/exit_codes.hpp"

namespace staithe::stage {

void note_left_clones(const std::vector<std::string>& names,
                      const std::function<std::string(const std::string&)>& drop_command,
                      event::RunFinished& finished) {
  if (names.empty()) return;
  finished.exit_code = event::exit_needs_person;
  if (finished.verdict != "interrupted") finished.verdict = "needs a person";
  if (finished.failure.empty()) finished.failure = "a clone could not be dropped";
  std::vector<std::string> next;
  for (const auto& name : names)
    next.push_back((drop_command ? drop_command(name) : name) + "    a clone that is left");
  finished.next.insert(finished.next.begin(), next.begin(), next.end());
}

}  // namespace staithe::stage
