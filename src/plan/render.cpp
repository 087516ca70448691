#include "describe.hpp"

#include "staithe/base/ascii.hpp"
#include "staithe/base/count_text.hpp"
#include "staithe/base/text.hpp"
#include "staithe/plan/plan.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::plan {
namespace {

/// Writes one plan as text. Lines are collected for each lane first, so that equal lanes can be folded.
class Renderer {
 public:
  Renderer(const Plan& plan, Detail detail) : plan_(plan), detail_(detail) {}

  std::string text() {
    header();
    actions_block("Open", plan_.open);
    for (const auto& stage : plan_.stages) this->stage(stage);
    actions_block("Close (always)", plan_.close);
    actions_block("If it fails", plan_.notify_failure);
    footer();
    return std::move(text_);
  }

 private:
  /// "1 host", "4 hosts at once".
  static std::string hosts_text(std::size_t count, std::string_view of_several = {}) {
    return base::count_text(count, "host") + std::string(count == 1 ? "" : of_several);
  }

  void header() {
    text_ += fmt::format("{:<10} {}\n", "Plan", base::one_line(plan_.title));
    const bool has_playbook = plan_.kind == "deploy" || plan_.kind == "rollback" || plan_.kind == "run";
    if (!plan_.source.empty() || has_playbook)
      text_ += fmt::format("{:<10} {}\n", "Playbook",
                           plan_.source.empty() ? "built-in" : base::one_line(plan_.source));
    if (!plan_.environment.empty())
      text_ += fmt::format("{:<10} {}   ({}{})\n", "On", plan_.environment,
                           hosts_text(target_hosts(plan_).size()), plan_.is_protected ? ", protected" : "");
    if (!plan_.sha.empty())
      text_ += fmt::format("{:<10} {} -> {}\n", "Release",
                           base::one_line(plan_.ref.empty() ? plan_.release : plan_.ref), plan_.sha);
    if (plan_.strategy.deadline > base::Duration::zero())
      text_ += fmt::format("{:<10} {} for the whole run, from the moment it holds its locks\n", "Deadline",
                           base::to_text(plan_.strategy.deadline));
    text_ += '\n';
  }

  void footer() {
    text_ += fmt::format("{} on {}.\nPlan id {}\n", base::count_text(count_actions(plan_), "action"),
                         hosts_text(target_hosts(plan_).size()), id_of(plan_));
  }

  void actions_block(std::string_view name, const std::vector<Action>& actions) {
    if (actions.empty()) return;
    text_ += fmt::format("{}\n", name);
    std::size_t number = 1;
    for (const auto& action : actions) text_ += action_lines(number++, action, "  ");
    text_ += '\n';
  }

  std::string shape_text(const Stage& stage) const {
    switch (stage.shape) {
      case Stage::Shape::gather:
        return at_once_text(stage) + ", read only; any finding refuses the run";
      case Stage::Shape::parallel:
        return at_once_text(stage) +
               (stage.max_failures ? fmt::format("; over {}: stop", failures_text(*stage.max_failures)) : "");
      case Stage::Shape::once:
        return "once";
      case Stage::Shape::rolling:
        return rolling_text(stage);
    }
    return {};
  }

  static std::string at_once_text(const Stage& stage) {
    const auto lanes = stage.lanes.size();
    if (stage.at_once >= lanes) return hosts_text(lanes, " at once");
    return fmt::format("{}, {} at a time", hosts_text(lanes), stage.at_once);
  }

  static std::string failures_text(const Amount& most) {
    return most.percent ? fmt::format("{}% failures", most.value) : base::count_text(most.value, "failure");
  }

  std::string rolling_text(const Stage& stage) const {
    const auto sizes = batch_sizes(plan_.strategy, stage.lanes.size());
    std::string batches;
    for (const auto size : sizes) batches += fmt::format("{}{}", batches.empty() ? "" : ", ", size);
    batches = sizes.size() == 1 ? "one batch" : "batches of " + batches;
    const auto& strategy = plan_.strategy;
    const char* policy = strategy.on_failure == Strategy::OnFailure::stop           ? "stop"
                         : strategy.on_failure == Strategy::OnFailure::revert_batch ? "revert the batch"
                                                                                    : "revert all";
    return fmt::format("{} in {}; {} at a time, {}; over {}: {}", hosts_text(stage.lanes.size()), batches,
                       strategy.parallel,
                       strategy.window == Strategy::Window::sliding ? "sliding" : "lockstep",
                       failures_text(strategy.max_failures), policy);
  }

  void stage(const Stage& stage) {
    text_ += fmt::format("Stage {} ({})\n", stage.name, shape_text(stage));
    const Lane* model = nullptr;
    std::string model_shape;
    for (const auto& lane : stage.lanes) {
      const std::string lines = lane_lines(lane);
      const std::string shape = without_suites(without_host(lines, lane.host), lane);
      if (detail_ == Detail::folded && model != nullptr && shape == model_shape) {
        text_ +=
            fmt::format("  {}  same {} as {}{}\n", lane.host, base::count_text(count_actions(lane), "action"),
                        model->host, parameters(lane.host));
        continue;
      }
      if (!lane.host.empty()) text_ += fmt::format("  {}\n", lane.host);
      text_ += lines;
      model = &lane;
      model_shape = shape;
    }
    text_ += '\n';
  }

  std::string parameters(const std::string& host) const {
    const auto found = plan_.hosts.find(host);
    if (found == plan_.hosts.end() || found->second.address.empty()) return {};
    return fmt::format(", address {}", found->second.address);
  }

  std::string lane_lines(const Lane& lane) const {
    std::string lines;
    std::size_t number = 1;
    const Bracket* above = nullptr;
    for (const auto& node : lane.nodes) {
      if (const auto* bracket = std::get_if<Bracket>(&node)) {
        lines += bracket_lines(number, *bracket);
        above = bracket;
        continue;
      }
      const auto& action = std::get<Action>(node);
      // What is done once stands below no host's name.
      lines += action_lines(number++, action, "    ", lane.host.empty() ? host_of(action.effect) : "");
    }
    return lines + revert_lines(lane.revert, above);
  }

  /// `above` is the lane's bracket, null without one.
  std::string revert_lines(const std::vector<Node>& revert, const Bracket* above) const {
    std::string lines;
    bool listed = false;
    for (const auto& node : revert) {
      const auto* bracket = std::get_if<Bracket>(&node);
      if (bracket != nullptr || !listed)
        lines += !lines.empty()     ? "      then:"
                 : above == nullptr ? "      to revert:"
                                    : "      to revert after it was done:";
      if (bracket != nullptr)
        lines += taken_again(*bracket, above);
      else
        lines += (listed ? "" : "\n") + action_lines(0, std::get<Action>(node), "        ");
      listed = bracket == nullptr;
    }
    return lines;
  }

  /// The bracket of a revert, without what stands above: that it is the lane's own, and the repair.
  std::string taken_again(const Bracket& bracket, const Bracket* above) const {
    std::size_t number = 1;
    if (above == nullptr || !alike(bracket.acquire, above->acquire) ||
        !alike(bracket.release, above->release))
      return "\n" + bracket_lines(number, bracket);
    const bool repairs = above->on_failure == Bracket::OnFailure::repair;
    const auto repair = repairs ? above->repair : std::vector<Action>();
    std::string all, others;
    std::size_t known = 0;
    for (const auto& action : bracket.body) {
      const auto lines = action_lines(0, action, "        ");
      all += lines;
      if (known == repair.size() || !alike(action, repair[known]))
        others += lines;
      else if (known++ == 0)
        others += "          -  the repair above\n";
    }
    if (known == 0 || known < repair.size()) return " the same bracket around\n" + all;
    return known == bracket.body.size() ? " the same bracket around the repair above\n"
                                        : " the same bracket around\n" + others;
  }

  /// But for their names.
  static bool alike(const Action& one, Action other) {
    other.id = one.id;
    return one == other;
  }
  static bool alike(const std::vector<Action>& some, const std::vector<Action>& others) {
    return std::equal(some.begin(), some.end(), others.begin(), others.end(),
                      [](const Action& one, const Action& other) { return alike(one, other); });
  }

  std::string bracket_lines(std::size_t& number, const Bracket& bracket) const {
    std::string lines;
    const std::size_t last =
        number + bracket.acquire.size() + bracket.body.size() + bracket.release.size() - 1;
    for (const auto& action : bracket.acquire) lines += action_lines(number++, action, "    ");
    if (bracket.release.empty()) {
      lines += "      stays so; when that fails it is given back by:\n";
      for (const auto& action : bracket.undo) lines += action_lines(0, action, "        ");
      return lines;
    }
    lines += fmt::format("      given back by actions {} to {}; before anything is altered by:\n",
                         last - bracket.release.size() + 1, last);
    for (const auto& action : bracket.undo) lines += action_lines(0, action, "        ");
    for (const auto& action : bracket.body) lines += action_lines(number++, action, "    ");
    if (bracket.on_failure == Bracket::OnFailure::repair && !bracket.repair.empty()) {
      lines += "      on failure: repair, then give back:\n";
      for (const auto& action : bracket.repair) lines += action_lines(0, action, "        ");
    } else {
      lines += "      on failure: kept out of rotation, exit 5\n";
    }
    for (const auto& action : bracket.release) lines += action_lines(number++, action, "    ");
    return lines;
  }

  std::string action_lines(std::size_t number, const Action& action, std::string_view indent,
                           const std::string& host = {}) const {
    const Description description = describe(action.effect, plan_);
    std::string suffix = host.empty() ? "" : "   on " + host;
    suffix += fmt::format("   at most {}", base::to_text(action.timeout));
    if (action.attempts > 1)
      suffix += fmt::format(", {} attempts {} apart", action.attempts, base::to_text(action.retry_every));
    const std::string mark = number > 0 ? fmt::format("{:>3}", number) : "  -";
    std::string lines = fmt::format("{}{}  {:<9} {:<8} {}{}\n", indent, mark, action.step,
                                    kind_of(action.effect), base::one_line(description.line), suffix);
    for (const auto& line : description.block)
      lines += fmt::format("{}       | {}\n", indent, base::printable(line));
    return lines;
  }

  /// The same text with the host's own parameters blotted out: what two lanes must share to be folded.
  std::string without_host(const std::string& lines, const std::string& host) const {
    std::string blotted = blot(lines, host, "<host>");
    const auto found = plan_.hosts.find(host);
    if (found != plan_.hosts.end() && !found->second.address.empty())
      blotted = blot(blotted, found->second.address, "<address>");
    return blotted;
  }

  /// Plans of suites are about the host: their ids differ where nothing else does.
  static std::string without_suites(std::string lines, const Lane& lane) {
    const auto blot_all = [&](const std::vector<Action>& actions) {
      for (const auto& action : actions)
        if (const auto* check = std::get_if<CheckSuite>(&action.effect))
          lines = blot(lines, check->suite_plan, "<suite>");
    };
    for (const auto& node : lane.nodes) {
      if (const auto* action = std::get_if<Action>(&node)) blot_all({*action});
      if (const auto* bracket = std::get_if<Bracket>(&node))
        for (const auto* part : {&bracket->acquire, &bracket->body, &bracket->release}) blot_all(*part);
    }
    return lines;
  }

  /// Replaces whole words only: "web1" is not a part of "web10".
  static std::string blot(const std::string& text, const std::string& word, std::string_view mark) {
    if (word.empty()) return text;
    const auto is_word = [](char c) { return base::is_alnum(c); };
    std::string result;
    std::size_t from = 0;
    for (std::size_t at = text.find(word); at != std::string::npos; at = text.find(word, at + 1)) {
      const std::size_t end = at + word.size();
      if (at < from || (at > 0 && is_word(text[at - 1])) || (end < text.size() && is_word(text[end])))
        continue;
      result.append(text, from, at - from).append(mark);
      from = end;
    }
    return result.append(text, from);
  }

  const Plan& plan_;
  Detail detail_;
  std::string text_;
};

}  // namespace

std::string render(const Plan& plan, Detail detail) {
  return Renderer(plan, detail).text();
}

}  // namespace staithe::plan
