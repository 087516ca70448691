#include "staithe/stage/masks.hpp"

#include <algorithm>

namespace staithe::stage {
namespace {

constexpr std::int64_t most_characters = 1000;
constexpr std::int64_t most_days = 36'500;
constexpr std::int64_t most_rows = 1'000'000'000'000;

const char* const kinds_help =
    "keep, null, hash, fake_email, {constant: TEXT}, {partial: {first: N, last: N}}, {shift_days: N}, "
    "{shift_days: {days: N, by: COLUMN}} or {sql: EXPRESSION}";

std::optional<Mask> plain_mask(const yaml::Reader& value) {
  Mask mask;
  if (value.node().kind == yaml::Kind::null) {
    mask.kind = Mask::Kind::null;
    return mask;
  }
  const auto word = value.text();
  if (!word) return std::nullopt;
  if (*word == "keep")
    mask.kind = Mask::Kind::keep;
  else if (*word == "null")
    mask.kind = Mask::Kind::null;
  else if (*word == "hash")
    mask.kind = Mask::Kind::hash;
  else if (*word == "fake_email")
    mask.kind = Mask::Kind::fake_email;
  else {
    value.error("'" + *word + "' is no mask", kinds_help);
    return std::nullopt;
  }
  return mask;
}

void read_partial(yaml::Mapping& map, Mask& mask) {
  auto fields = map.mapping("partial");
  if (!fields) return;
  mask.kind = Mask::Kind::partial;
  if (const auto first = fields->integer("first", 0, most_characters))
    mask.first = static_cast<std::uint32_t>(first->value);
  if (const auto last = fields->integer("last", 0, most_characters))
    mask.last = static_cast<std::uint32_t>(last->value);
  fields->finish();
}

void read_shift(yaml::Mapping& map, Mask& mask) {
  mask.kind = Mask::Kind::shift_days;
  const auto value = map.value("shift_days");
  if (value && value->node().kind == yaml::Kind::map) {
    auto fields = map.mapping("shift_days");
    if (const auto days = fields->integer("days", 1, most_days, yaml::Need::required))
      mask.days = static_cast<std::uint32_t>(days->value);
    if (const auto by = fields->text("by")) mask.by = by->value;
    return fields->finish();
  }
  if (const auto days = map.integer("shift_days", 1, most_days))
    mask.days = static_cast<std::uint32_t>(days->value);
}

std::optional<Mask> read_mask(const yaml::Reader& value) {
  if (value.node().kind != yaml::Kind::map) return plain_mask(value);
  yaml::Mapping map(value);
  Mask mask;
  const auto form = map.one_of({"constant", "partial", "shift_days", "sql"});
  if (!form) {
    map.finish();
    return std::nullopt;
  }
  if (*form == "constant" || *form == "sql") {
    mask.kind = *form == "sql" ? Mask::Kind::sql : Mask::Kind::constant;
    if (const auto text = map.text(*form)) mask.text = text->value;
  } else if (*form == "partial") {
    read_partial(map, mask);
  } else {
    read_shift(map, mask);
  }
  map.finish();
  return mask;
}

TableRules read_table(const yaml::Member& member) {
  TableRules rules;
  rules.table = member.key;
  yaml::Mapping map(member.value);
  for (const auto& column : map.map("columns"))
    if (auto mask = read_mask(column.value)) rules.columns.push_back({column.key, std::move(*mask)});
  using Rows = TableRules::Rows;
  if (const auto rows = map.choice_of<Rows>(
          "rows", {{"all", Rows::all}, {"none", Rows::none}, {"referenced", Rows::referenced}}))
    rules.rows = rows->value;
  if (const auto where = map.text("where")) rules.where = where->value;
  if (const auto limit = map.integer("limit", 1, most_rows))
    rules.limit = static_cast<std::uint64_t>(limit->value);
  if (const auto live = map.choice("live", {"keep"})) rules.live_kept = true;
  if (rules.rows == Rows::none && (!rules.where.empty() || rules.limit > 0))
    map.error_at("rows", "'none' leaves nothing for 'where' or 'limit' to choose from");
  map.finish();
  return rules;
}

}  // namespace

const ColumnMask* TableRules::find(std::string_view column) const {
  const auto found = std::find_if(columns.begin(), columns.end(),
                                  [&](const ColumnMask& one) { return one.column.value == column; });
  return found == columns.end() ? nullptr : &*found;
}

const TableRules* Masks::find(std::string_view table) const {
  const auto found = std::find_if(tables.begin(), tables.end(),
                                  [&](const TableRules& one) { return one.table.value == table; });
  return found == tables.end() ? nullptr : &*found;
}

bool Masks::needs_key() const {
  const auto keyed = [](const ColumnMask& one) {
    return one.mask.kind == Mask::Kind::hash || one.mask.kind == Mask::Kind::fake_email ||
           one.mask.kind == Mask::Kind::shift_days;
  };
  return std::any_of(tables.begin(), tables.end(), [&](const TableRules& table) {
    return std::any_of(table.columns.begin(), table.columns.end(), keyed);
  });
}

std::optional<Masks> load_masks(const std::string& path, const std::string& text,
                                diag::Diagnostics& diagnostics) {
  const auto node = yaml::parse(text, path, diagnostics);
  if (!node) return std::nullopt;
  Masks masks;
  masks.path = path;
  yaml::Mapping map(*node, diagnostics);
  map.integer("masks", 1, 1, yaml::Need::required);
  for (const auto& member : map.map("tables")) masks.tables.push_back(read_table(member));
  map.finish();
  return masks;
}

}  // namespace staithe::stage
