#include "catch.hpp"
#include "snapshot/filter.hpp"

#include "staithe/diag/render.hpp"
#include "staithe/stage/snapshot.hpp"

using namespace staithe;
using namespace staithe::stage;

namespace {

Column column(const char* name, const char* type, char category) {
  Column one;
  one.name = name;
  one.type = one.base_type = type;
  one.category = category;
  return one;
}

Table table(Oid oid, const char* name, std::vector<Column> columns) {
  Table one;
  one.oid = oid;
  one.schema = "public";
  one.name = name;
  one.columns = std::move(columns);
  one.primary_key = {"id"};
  return one;
}

/// users <- orders (user_id), tree (parent)
Catalogue shop() {
  Catalogue catalogue;
  catalogue.version = 150014;
  auto users = table(1, "users", {column("id", "bigint", 'N'), column("email", "text", 'S')});
  users.columns[1].is_unique = users.columns[1].not_null = true;
  auto orders = table(2, "orders", {column("id", "bigint", 'N'), column("user_id", "bigint", 'N')});
  const auto tree = table(3, "tree", {column("id", "integer", 'N'), column("parent", "integer", 'N')});
  users.bytes = 10;
  orders.bytes = 1000;
  catalogue.tables = {users, orders, tree};
  catalogue.foreign_keys = {{10, "orders_user", 2, 1, {"user_id"}, {"id"}, true},
                            {11, "tree_parent", 3, 3, {"parent"}, {"id"}, true}};
  return catalogue;
}

Masks masks_from(const std::string& text, diag::Diagnostics& findings) {
  auto masks = load_masks("masks.yml", text, findings);
  return masks ? *masks : Masks();
}

std::string complaints(const std::string& tables) {
  diag::Diagnostics findings;
  const auto masks = masks_from("masks: 1\ntables:\n" + tables, findings);
  check_masks(masks, shop(), findings);
  return diag::render(findings);
}

bool has(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("good masks are silent") {
  CHECK(complaints("  public.users: {columns: {email: hash}}\n  public.orders: {where: id > 3, limit: 10}\n")
            .empty());
}

TEST_CASE("mistakes in masks are findings with a place") {
  CHECK(has(complaints("  public.users: {columns: {email: hahs}}\n"),
            "masks.yml:3:35: error: 'hahs' is no mask"));
  CHECK(has(complaints("  public.users: {columns: {email: {partial: {last: -1}}}}\n"), "error"));
  CHECK(has(complaints("  public.users: {columns: {email: {constant: a, sql: b}}}\n"), "error"));
  CHECK(has(complaints("  public.users: {columns: {email: null}}\n"), "NOT NULL"));
  CHECK(has(complaints("  public.users: {columns: {email: {partial: {last: 2}}}}\n"), "is unique"));
  CHECK(has(complaints("  public.users: {columns: {id: {shift_days: 3}}}\n"), "is no date"));
  CHECK(has(complaints("  public.users: {columns: {id: hash}}\n"), "foreign key orders_user"));
  CHECK(complaints("  public.users: {columns: {id: hash}}\n  public.orders: {columns: {user_id: hash}}\n")
            .empty());
  CHECK(has(complaints("  public.users: {rows: none, limit: 3}\n"), "leaves nothing"));
  CHECK(has(complaints("  public.user: {rows: none}\n"), "did you mean 'public.users'?"));
}

TEST_CASE("NULL stays NULL, and names and texts cannot break out of an expression") {
  const auto odd = column("we\"ird", "character varying(8)", 'S');
  Mask mask;
  mask.kind = Mask::Kind::hash;
  CHECK(has(mask_expression(odd, mask, "UTF8"), "CASE WHEN \"we\"\"ird\" IS NOT NULL"));
  CHECK(has(mask_expression(odd, mask, "UTF8"), ", 8)"));
  mask.kind = Mask::Kind::constant;
  mask.text = "it's";
  CHECK(has(mask_expression(odd, mask, "UTF8"), "'it''s'"));
  mask.kind = Mask::Kind::keep;
  CHECK(mask_expression(odd, mask, "UTF8") == "\"we\"\"ird\"");
}

TEST_CASE("rows follow their parents, and a circle of keys ends") {
  diag::Diagnostics findings;
  const auto catalogue = shop();
  const auto masks = masks_from(
      "masks: 1\ntables:\n  public.users: {where: id < 5}\n  public.tree: {where: id > 1}\n", findings);
  const Filters filters(catalogue, masks);
  CHECK(filters.any());
  CHECK(has(filters.condition(catalogue.tables[0], "t"), "WHERE (id < 5)"));
  const auto orders = filters.condition(catalogue.tables[1], "t");
  CHECK(has(orders, "t.\"user_id\" IS NULL OR EXISTS (SELECT 1 FROM ONLY \"public\".\"users\" p1"));
  CHECK(has(filters.condition(catalogue.tables[2], "t"), "WHERE (id > 1)"));
  CHECK(orphan_statements(catalogue).size() == 2);
  CHECK(Filters(catalogue, Masks()).condition(catalogue.tables[1], "t").empty());
}

TEST_CASE("the id of a plan is that of what it does, not of how much there is") {
  diag::Diagnostics findings;
  TargetFacts target;
  target.version = 150014;
  const auto plan = make_snapshot_plan(shop(), target, Masks(), {}, findings);
  CHECK(plan.tables.front().name == "public.orders");  // the largest first
  auto grown = shop();
  grown.tables[0].bytes = 5'000'000;
  CHECK(id_of(make_snapshot_plan(grown, target, Masks(), {}, findings)) == id_of(plan));
  grown.tables[0].columns.push_back(column("more", "text", 'S'));
  CHECK(id_of(make_snapshot_plan(grown, target, Masks(), {}, findings)) != id_of(plan));
  SnapshotSettings settings;
  settings.jobs = 7;
  CHECK(id_of(make_snapshot_plan(shop(), target, Masks(), settings, findings)) != id_of(plan));
}

TEST_CASE("a target that is production is refused") {
  Catalogue source = shop();
  source.origin.system_identifier = "1";
  TargetFacts target;
  target.version = 150000;
  target.system_identifier = "2";
  CHECK_FALSE(refuse_target(source, target, {}));
  target.system_identifier = "1";
  CHECK(refuse_target(source, target, {}));
  target.system_identifier = "2";
  target.production = {"shop"};
  CHECK(refuse_target(source, target, {}));
  target.production.clear();
  target.version = 140000;
  CHECK(has(refuse_target(source, target, {})->why, "an older server"));
  target.version = 150000;
  target.exists = true;
  target.is_empty = false;
  CHECK(refuse_target(source, target, {}));
  SnapshotSettings replace;
  replace.replace = true;
  CHECK_FALSE(refuse_target(source, target, replace));
}
