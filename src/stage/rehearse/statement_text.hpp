#pragma once
#include <optional>
#include <string>

namespace staithe::stage {

/// A text of pg_stat_statements without its comments, which may say for whom it ran. Nothing when it is no
/// whole statement, or where values may stand in it: pg_stat_statements does not take them out of what it
/// sees as utilities (SELECT … INTO), nor of a text whose entry went while it ran. Of numbers those are no
/// values that it leaves in every text: parameters ($1), modifiers of types (numeric(10, 2)), and places in
/// the list of what is selected (ORDER BY 2). Rather a text too many is left out than a value let through.
/// Pure. https://www.postgresql.org/docs/current/pgstatstatements.html
std::optional<std::string> text_with_no_value(const std::string& query);

}  // namespace staithe::stage
