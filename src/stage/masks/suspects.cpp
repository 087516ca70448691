#include "staithe/base/ascii.hpp"
#include "staithe/base/error.hpp"
#include "staithe/stage/masks.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <regex>
#include <set>

namespace staithe::stage {
namespace {

constexpr int sample_rows = 1000;
/// From this share of a sample on, a pattern is what the column holds.
constexpr double telling_share = 0.2;

struct NamePattern {
  const char* pattern;
  Mask::Kind mask;
};
/// Names of columns in English as schemas spell them; the mask fits if the type does.
constexpr std::array<NamePattern, 8> telling_names{{
    {"(^|_)(e_?mail|mail)(_?addr(ess)?)?($|_)", Mask::Kind::fake_email},
    {"(secret|passw|token|api_?key|private_key|credential|otp|salt|session_?id|cookie)", Mask::Kind::hash},
    {"(^|_)(first|last|full|middle|maiden|family|given|sur|nick|user|display|contact|customer|holder)_?name",
     Mask::Kind::hash},
    {"(^|_)(phone|mobile|cell|tel|telephone|fax|msisdn|whatsapp)($|_)", Mask::Kind::partial},
    {"(^|_)(street|address(_?line)?[0-9]?|addr|postal(_?code)?|postcode|zip(_?code)?|house_?(no|number))($|_"
     ")",
     Mask::Kind::hash},
    {"(^|_)(birth_?(day|date)?|born|dob|date_of_birth)($|_)", Mask::Kind::shift_days},
    {"(^|_)(ssn|sin|nin|tax_?(id|no|number)|vat_?(id|no)|passport|iban|bic|account_?(no|number)|card_?(no|"
     "number)|pan|cvv|licen[cs]e_?(no|number)|insurance_?(no|number))($|_)",
     Mask::Kind::hash},
    {"(^|_)(ip|ip_?addr(ess)?|remote_addr|mac_?addr(ess)?|imei|device_?id|user_?agent|lat(itude)?|lon(gitude)"
     "?|gender|religion|nationality)($|_)",
     Mask::Kind::hash},
}};

struct ContentPattern {
  const char* regex;  ///< PostgreSQL's
  const char* what;
  Mask::Kind mask;
};
constexpr std::array<ContentPattern, 6> contents{{
    {"^[^@[:space:]]+@[^@[:space:]]+[.][a-zA-Z]{2,}$", "e-mail addresses", Mask::Kind::fake_email},
    {"^[+(]?[0-9][-0-9 ()/.]{7,17}[0-9]$", "phone or card numbers", Mask::Kind::partial},
    {"^[A-Z]{2}[0-9]{2}[A-Z0-9 ]{11,34}$", "bank accounts", Mask::Kind::hash},
    {"^([0-9]{1,3}[.]){3}[0-9]{1,3}$", "network addresses", Mask::Kind::hash},
    {"^(sk_live_|whsec_|AKIA|eyJ[A-Za-z0-9_-]+[.]|-----BEGIN |ghp_|xox[bp]-|[$]2[aby][$]|[$]argon2)",
     "secrets", Mask::Kind::hash},
    {"^[0-9]{3}-[0-9]{2}-[0-9]{4}$", "social security numbers", Mask::Kind::hash},
}};

Mask fitting(const Column& column, Mask::Kind kind) {
  Mask mask;
  mask.kind = kind;
  const bool is_text = column.category == 'S';
  if (kind == Mask::Kind::partial) mask.last = 2;
  if (kind == Mask::Kind::shift_days) mask.days = 30;
  if (kind == Mask::Kind::shift_days && column.category != 'D') mask.kind = Mask::Kind::hash;
  if ((kind == Mask::Kind::fake_email || kind == Mask::Kind::partial) && !is_text)
    mask.kind = Mask::Kind::hash;
  if (kind == Mask::Kind::partial && column.is_unique) mask.kind = Mask::Kind::hash;
  static const std::set<std::string> hashable{"uuid",    "bytea", "bigint", "integer",
                                              "numeric", "json",  "jsonb"};
  if (mask.kind == Mask::Kind::hash && !is_text && hashable.count(column.base_type) == 0)
    mask.kind = column.not_null ? Mask::Kind::keep : Mask::Kind::null;
  return mask;
}

bool is_boring(const Column& column) {
  return column.is_generated || column.category == 'B' || column.category == 'E';
}

/// What "name" stands for in such a table is a person's.
bool is_about_people(const Table& table) {
  static const std::regex people(
      "(^|_)(users?|customers?|people|persons?|contacts?|clients?|patients?|employees?|"
      "members?|guests?|leads?|subscribers?|recipients?|accounts?)($|_)");
  return std::regex_search(table.name, people);
}

std::optional<Suspect> by_name_or_type(const Table& table, const Column& column) {
  const std::string lower = base::lower(column.name);
  for (const auto& one : telling_names)
    if (std::regex_search(lower, std::regex(one.pattern)))
      return Suspect{table.full_name(), column.name, column.type, "its name", fitting(column, one.mask)};
  if (lower == "name" && is_about_people(table))
    return Suspect{table.full_name(), column.name, column.type, "its name",
                   fitting(column, Mask::Kind::hash)};
  if (column.category == 'I' || column.base_type.starts_with("macaddr"))
    return Suspect{table.full_name(), column.name, column.type, "its type",
                   fitting(column, Mask::Kind::hash)};
  return std::nullopt;
}

/// One statement a table: only counts leave the source.
void by_content(pg::Session& source, const Table& table, const std::vector<const Column*>& columns,
                std::vector<Suspect>& found, const base::Scope& scope) {
  if (columns.empty()) return;
  std::string counts;
  for (const auto* column : columns)
    for (const auto& one : contents)
      counts += fmt::format(", pg_catalog.count(*) FILTER (WHERE ({})::text ~ {})",
                            pg::quoted_name(column->name), pg::quoted_literal(one.regex));
  std::string nonnull;
  for (const auto* column : columns)
    nonnull += fmt::format(", pg_catalog.count({})", pg::quoted_name(column->name));
  // Few pages of a large table, all of a small one.
  const double pages = std::max(1.0, static_cast<double>(table.bytes) / 8192.0);
  const double percent = std::min(100.0, 100.0 * 50.0 / pages);
  const auto answer = source.run(
      fmt::format("SELECT 0{}{} FROM (SELECT * FROM ONLY {} TABLESAMPLE SYSTEM ({:.4f}) LIMIT {}) sample",
                  nonnull, counts, table.sql(), percent, sample_rows),
      scope);
  const auto& row = answer.rows.at(0);
  const auto number = [&](std::size_t at) { return std::stod(row.at(at).value_or("0")); };
  for (std::size_t i = 0; i < columns.size(); ++i) {
    const double all = number(1 + i);
    for (std::size_t j = 0; j < contents.size() && all > 0; ++j) {
      const double share = number(1 + columns.size() + i * contents.size() + j) / all;
      if (share < telling_share) continue;
      found.push_back(
          {table.full_name(), columns[i]->name, columns[i]->type,
           fmt::format("{:.0f}% of {:.0f} sampled values look like {}", share * 100, all, contents[j].what),
           fitting(*columns[i], contents[j].mask)});
      break;
    }
  }
}

bool is_copied_empty(const Masks& masks, const Table& table) {
  const auto* rules = masks.find(table.full_name());
  return rules != nullptr && rules->rows == TableRules::Rows::none;
}

std::string yaml_mask(const Mask& mask) {
  switch (mask.kind) {
    case Mask::Kind::partial:
      return fmt::format("{{partial: {{first: {}, last: {}}}}}", mask.first, mask.last);
    case Mask::Kind::shift_days:
      return fmt::format("{{shift_days: {}}}", mask.days);
    default:
      return mask_text(mask);
  }
}

/// A key of YAML: in quotes when it is not plain.
std::string yaml_key(const std::string& name) {
  const bool plain = !name.empty() && std::all_of(name.begin(), name.end(), [](unsigned char c) {
    return std::isalnum(c) != 0 || c == '_' || c == '.';
  });
  if (plain && !base::is_digit(name.front())) return name;
  std::string text = "'";
  for (const char c : name) text += c == '\'' ? "''" : std::string(1, c);
  return text + "'";
}

}  // namespace

std::vector<Suspect> find_suspects(pg::Session& source, const Catalogue& catalogue, const Masks& masks,
                                   const base::Scope& scope) {
  std::vector<Suspect> found;
  for (const auto& table : catalogue.tables) {
    if (is_copied_empty(masks, table) || !table.extension.empty()) continue;
    const auto* rules = masks.find(table.full_name());
    std::vector<const Column*> open;
    for (const auto& column : table.columns) {
      if (is_boring(column) || (rules != nullptr && rules->find(column.name) != nullptr)) continue;
      if (auto suspect = by_name_or_type(table, column))
        found.push_back(std::move(*suspect));
      else if (column.category == 'S')
        open.push_back(&column);
    }
    if (table.readable && !table.hidden_rows) by_content(source, table, open, found, scope);
  }
  return found;
}

std::string suggested_file(const std::vector<Suspect>& suspects, const Catalogue& catalogue) {
  std::string text =
      "# What becomes of each column on its way out of production; staithe-masks(5).\n"
      "# Suggested by name, type and a sample of the content: read every line before you trust it.\n"
      "masks: 1\ntables:\n";
  for (const auto& table : catalogue.tables) {
    std::string columns;
    for (const auto& one : suspects)
      if (one.table == table.full_name())
        columns +=
            fmt::format("      {}: {}   # {}\n", yaml_key(one.column), yaml_mask(one.suggestion), one.why);
    const bool is_queue =
        std::any_of(catalogue.live.begin(), catalogue.live.end(), [&](const LiveThing& thing) {
          return thing.kind == "queue-like table" && thing.name == table.full_name();
        });
    if (columns.empty() && !is_queue) continue;
    text += fmt::format("  {}:\n", yaml_key(table.full_name()));
    if (is_queue) text += "    rows: none   # its name is that of a queue; or live: keep\n";
    if (!columns.empty()) text += "    columns:\n" + columns;
  }
  return text;
}

}  // namespace staithe::stage
