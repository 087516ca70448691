#include "staithe/plan/rehearsal_terms.hpp"

#include "json_archive.hpp"

#include "staithe/base/text.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace staithe::plan {
namespace {

std::string quoted_command(const std::string& command) {
  return command.empty() ? "as files of SQL" : "by the command '" + command + "'";
}

/// A limit that was looser, or was not set.
template <class Limit, class Text>
void add_looser(std::vector<std::string>& out, const std::optional<Limit>& rehearsed,
                const std::optional<Limit>& wanted, std::string_view of_what, Text text) {
  if (!wanted || (rehearsed && *rehearsed <= *wanted)) return;
  out.push_back(fmt::format("with {} {} allowed (wanted: {})", rehearsed ? text(*rehearsed) : "any", of_what,
                            text(*wanted)));
}

void add_accepted(std::vector<std::string>& out, const std::vector<std::string>& rehearsed,
                  const std::vector<std::string>& wanted, std::string_view how) {
  std::vector<std::string> more;
  for (const auto& name : rehearsed)
    if (std::find(wanted.begin(), wanted.end(), name) == wanted.end()) more.push_back(name);
  if (!more.empty()) out.push_back(fmt::format("on a copy {} {}", how, base::join(more, ", ")));
}

}  // namespace

std::string to_json(const RehearsalTerms& terms) {
  std::string text;
  write_value(text, terms);
  return text;
}

std::optional<RehearsalTerms> rehearsal_terms(std::string_view json) {
  try {
    const auto document = nlohmann::json::parse(json);
    // A plan of an older build may lack these; a rehearsal that does not say them did not ask for them.
    for (const auto* said : {"open_for", "asked"})
      if (!document.contains(said)) return std::nullopt;
    RehearsalTerms terms;
    read_value(document, terms);
    return terms;
  } catch (const nlohmann::json::exception&) {
    return std::nullopt;
  } catch (const base::Error&) {
    return std::nullopt;
  }
}

std::string shortfall(const RehearsalTerms& rehearsed, const RehearsalTerms& wanted) {
  std::vector<std::string> out;
  if (rehearsed.command != wanted.command)
    out.push_back(
        fmt::format("{} (wanted: {})", quoted_command(rehearsed.command), quoted_command(wanted.command)));
  const auto time = [](base::Duration duration) { return base::to_text(duration); };
  const auto& had = rehearsed.budgets;
  const auto& wants = wanted.budgets;
  add_looser(out, std::optional(had.blocking), std::optional(wants.blocking), "of blocking", time);
  add_looser(out, had.total, wants.total, "in all", time);
  add_looser(out, had.rewrite_rows, wants.rewrite_rows, "rows to be rewritten",
             [](std::uint64_t rows) { return std::to_string(rows); });
  add_looser(out, had.wal_bytes, wants.wal_bytes, "of WAL",
             [](std::uint64_t bytes) { return base::bytes_text(bytes); });
  if (wanted.load && !rehearsed.load) out.emplace_back("without a load beside them");
  if (wanted.open_for.count() > 0 && rehearsed.open_for.count() == 0)
    out.emplace_back("without an open transaction");
  else if (rehearsed.open_for < wanted.open_for)
    out.push_back(fmt::format("with a transaction open for {} only (wanted: {})", time(rehearsed.open_for),
                              time(wanted.open_for)));
  if (wanted.asked && !rehearsed.asked) out.emplace_back("without asking production");
  add_accepted(out, rehearsed.accepted.partial, wanted.accepted.partial, "without all rows of");
  add_accepted(out, rehearsed.accepted.masked, wanted.accepted.masked, "with masks on");
  return base::join(out, ", ");
}

}  // namespace staithe::plan
