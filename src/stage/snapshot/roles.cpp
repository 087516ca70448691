#include "roles.hpp"

#include "rehearse/sql_text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace staithe::stage {
namespace {

/// Where a list of roles stands in a statement: tokens [first, last).
struct RoleList {
  std::size_t first = 0, last = 0;
};

/// Behind the first of `words` outside parentheses, names with commas between them.
std::optional<RoleList> find_list(const SqlStatement& statement, std::initializer_list<const char*> words,
                                  std::size_t from = 0) {
  int depth = 0;
  const auto& tokens = statement.tokens;
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    if (tokens[i].is_symbol('(')) ++depth;
    if (tokens[i].is_symbol(')')) --depth;
    const bool is_word = std::any_of(words.begin(), words.end(), [&](auto w) { return tokens[i].is(w); });
    if (i < from || depth != 0 || !is_word) continue;
    RoleList list{i + 1, i + 1};
    while (list.last < tokens.size() && tokens[list.last].is_name()) {
      ++list.last;
      if (list.last + 1 >= tokens.size() || !tokens[list.last].is_symbol(',')) break;
      ++list.last;
    }
    return list;
  }
  return std::nullopt;
}

/// The text with the list's roles replaced; nothing when none is left.
std::optional<std::string> replaced(const SqlStatement& statement, const RoleList& list,
                                    const RoleMap& roles) {
  std::string names;
  for (std::size_t i = list.first; i < list.last; ++i) {
    const auto& token = statement.tokens[i];
    if (!token.is_name()) continue;
    const auto found = roles.find(token.text);
    if (found != roles.end() && found->second.empty()) continue;
    const auto name = found == roles.end() ? statement.text.substr(token.begin, token.end - token.begin)
                                           : pg::quoted_name(found->second);
    names += (names.empty() ? "" : ", ") + name;
  }
  if (names.empty()) return std::nullopt;
  return statement.text.substr(0, statement.tokens[list.first].begin) + names +
         statement.text.substr(statement.tokens[list.last - 1].end);
}

bool begins(const SqlStatement& statement, std::initializer_list<const char*> words) {
  std::size_t i = 0;
  for (const char* word : words)
    if (i >= statement.tokens.size() || !statement.tokens[i++].is(word)) return false;
  return true;
}

/// ALTER … OWNER TO role: what it becomes, "" for nothing.
std::string owner_statement(const SqlStatement& statement, const RoleList& list, const RoleMap& roles) {
  const auto found = roles.find(statement.tokens[list.first].text);
  if (found == roles.end() || found->second.empty()) return {};
  return replaced(statement, list, roles).value_or("");
}

/// The role behind OWNER TO, when the statement is about nothing else.
std::optional<RoleList> find_owner(const SqlStatement& statement) {
  const auto& tokens = statement.tokens;
  const std::size_t count = tokens.size();
  if (count < 6 || !tokens[0].is("alter") || !tokens[count - 3].is("owner") || !tokens[count - 2].is("to"))
    return std::nullopt;
  return RoleList{count - 1, count};
}

/// GRANT, REVOKE, ALTER DEFAULT PRIVILEGES FOR ROLE, CREATE POLICY: "" for nothing.
std::string rights_statement(SqlStatement statement, const RoleMap& roles) {
  // Whoever makes the copy grants: production's grantors are not there.
  if (begins(statement, {"set", "session"}) || begins(statement, {"reset", "session"})) return {};
  if (begins(statement, {"alter", "default"})) {
    if (const auto list = find_list(statement, {"role", "user"})) {
      const auto text = replaced(statement, *list, roles);
      if (!text) return {};
      diag::Diagnostics nothing;
      auto again = split_sql(*text, "", nothing);
      if (again.statements.size() == 1) statement = std::move(again.statements[0]);
    }
  }
  const bool is_policy = begins(statement, {"create", "policy"});
  const auto list = is_policy ? find_list(statement, {"to"}) : find_list(statement, {"to", "from"});
  if (!list || list->first == list->last) return statement.text;
  return replaced(statement, *list, roles).value_or("");
}

}  // namespace

void map_roles(Entry& entry, const RoleMap& roles) {
  if (roles.empty()) return;
  const bool is_about_rights = entry.type == "ACL" || entry.type == "DEFAULT ACL" || entry.type == "POLICY";
  if (!is_about_rights && entry.sql.find(" OWNER TO ") == std::string::npos) return;
  diag::Diagnostics unread;
  const auto file = split_sql(entry.sql, "", unread);
  if (unread.has_errors()) return;
  std::string sql;
  for (const auto& statement : file.statements) {
    const auto owner = find_owner(statement);
    const auto text = owner             ? owner_statement(statement, *owner, roles)
                      : is_about_rights ? rights_statement(statement, roles)
                                        : statement.text;
    if (!text.empty()) sql += text + ";\n";
  }
  entry.sql = std::move(sql);
}

void split_rights(std::vector<Entry>& entries) {
  std::vector<Entry> all;
  for (auto& entry : entries) {
    diag::Diagnostics unread;
    const bool is_about_rights = entry.type == "ACL" || entry.type == "DEFAULT ACL";
    const auto file = is_about_rights ? split_sql(entry.sql, "", unread) : SqlFile();
    if (!is_about_rights || unread.has_errors()) {
      all.push_back(std::move(entry));
      continue;
    }
    for (const auto& statement : file.statements) {
      all.push_back(entry);
      all.back().sql = statement.text;
    }
  }
  entries = std::move(all);
}

std::vector<Difference> role_differences(const Catalogue& source, const SnapshotSettings& settings) {
  std::vector<Difference> list;
  const std::string self = settings.owner.empty() ? "the role that connects" : settings.owner;
  if (settings.roles.empty()) {
    list.push_back({"owners", "everything belongs to " + self});
  } else {
    for (const auto& [name, objects] : source.owners) {
      const auto found = settings.roles.find(name);
      const bool is_mapped = found != settings.roles.end() && !found->second.empty();
      list.push_back({fmt::format("owner {} of {} objects", name, objects),
                      is_mapped ? "becomes " + found->second : "dropped; they belong to " + self});
    }
  }
  if (!settings.keep_grants) {
    list.push_back({"grants", "dropped; keep_grants: true carries them"});
    return list;
  }
  for (const auto& [from, to] : settings.roles)
    list.push_back({"grants to " + from, to.empty() ? "dropped" : "become grants to " + to});
  return list;
}

}  // namespace staithe::stage
